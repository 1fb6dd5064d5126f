/**
 * The JSON objects in a text: one behind the other, or the elements of one array.
 *
 * Promises: memory for one object and one chunk; every object comes with the line on which it begins; what stands between
 * objects and is neither space nor, in an array, a comma is refused with its line.
 */
import { TextDecoder } from 'node:util';
import { FailedCommand } from '../command-line/subcommand.ts';

/** A document of 16 MiB may have so many characters, with every byte escaped. */
const MOST_CHARACTERS = 128 * 1024 * 1024;

export interface JsonText {
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

type Between = 'start' | 'element' | 'separator' | 'end';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const SPACES = /^[ \t\r\n]$/;

/** @param asArray the text is one array, as mongoexport --jsonArray writes it. @throws FailedCommand */
export async function* jsonTexts(
  source: AsyncIterable<Uint8Array>,
  asArray: boolean,
): AsyncGenerator<JsonText> {
  const scanner = new JsonScanner(asArray);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of source) {
    yield* scanner.take(decoded(decoder, scanner, chunk));
  }
  yield* scanner.take(decoded(decoder, scanner));
  scanner.finish();
}

function decoded(decoder: TextDecoder, scanner: JsonScanner, chunk?: Uint8Array): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw new FailedCommand(`line ${scanner.line} or one of the next is no UTF-8.`);
  }
}

class JsonScanner {
  line = 1;
  private readonly asArray: boolean;
  private between: Between;
  private depth = 0;
  private isInString = false;
  private isEscaped = false;
  private pieces: string[] = [];
  private characters = 0;
  private startLine = 1;

  constructor(asArray: boolean) {
    this.asArray = asArray;
    this.between = asArray ? 'start' : 'element';
  }

  *take(text: string): Generator<JsonText> {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (this.depth === 0) {
        if (code === 0x7b) {
          this.begin();
          start = at;
        } else this.skip(text[at] ?? '');
      } else if (this.inside(code)) {
        yield { text: this.whole(text.slice(start, at + 1)), line: this.startLine };
      }
      if (code === NEWLINE) this.line += 1;
    }
    if (this.depth > 0) this.keep(text.slice(start));
  }

  /** @throws FailedCommand when the text ends too early. */
  finish(): void {
    if (this.depth > 0) {
      throw new FailedCommand(`line ${this.startLine}: the object that begins here has no end.`);
    }
    if (this.asArray && this.between !== 'end') {
      throw new FailedCommand(`line ${this.line}: the array has no end.`);
    }
  }

  private begin(): void {
    if (this.between !== 'element') {
      throw new FailedCommand(
        this.between === 'start'
          ? `line ${this.line}: with --jsonArray the text begins with '['.`
          : `line ${this.line}: a comma is missing before this object.`,
      );
    }
    this.depth = 1;
    this.startLine = this.line;
  }

  /** @returns whether the object ends here. */
  private inside(code: number): boolean {
    if (this.isInString) {
      if (this.isEscaped) this.isEscaped = false;
      else if (code === BACKSLASH) this.isEscaped = true;
      else if (code === QUOTE) this.isInString = false;
      return false;
    }
    if (code === QUOTE) this.isInString = true;
    else if (code === 0x7b || code === 0x5b) this.depth += 1;
    else if (code === 0x7d || code === 0x5d) this.depth -= 1;
    return this.depth === 0;
  }

  private skip(character: string): void {
    if (SPACES.test(character)) return;
    if (this.asArray) {
      if (character === '[' && this.between === 'start') {
        this.between = 'element';
        return;
      }
      if (character === ',' && this.between === 'separator') {
        this.between = 'element';
        return;
      }
      // An empty array, too.
      if (character === ']' && (this.between === 'separator' || this.between === 'element')) {
        this.between = 'end';
        return;
      }
    }
    const hint =
      character === '[' && !this.asArray ? ' An array of documents is read with --jsonArray.' : '';
    throw new FailedCommand(
      `line ${this.line}: '${character}' where an object should begin.${hint}`,
    );
  }

  private keep(piece: string): void {
    this.characters += piece.length;
    if (this.characters > MOST_CHARACTERS) {
      throw new FailedCommand(`line ${this.startLine}: the object that begins here is too large.`);
    }
    this.pieces.push(piece);
  }

  private whole(last: string): string {
    const text = this.pieces.length === 0 ? last : this.pieces.join('') + last;
    this.pieces = [];
    this.characters = 0;
    if (this.asArray) this.between = 'separator';
    return text;
  }
}
