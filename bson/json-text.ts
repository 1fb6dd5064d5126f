/**
 * Reads JSON text into nodes that keep what JSON.parse loses: the order of names that look like numbers, repeated names,
 * and a number's digits.
 *
 * Promises: accepts exactly RFC 8259; linear time; nesting is bounded.
 */
import { CommandError } from '../common/errors.ts';

/** A number as it stands in the text. */
export interface JsonNumber {
  readonly digits: string;
}

export interface JsonObject {
  readonly entries: readonly (readonly [name: string, value: JsonNode])[];
}

export type JsonNode = null | boolean | string | JsonNumber | JsonObject | readonly JsonNode[];

/** Twice the levels of BSON, because a value may stand in a wrapper such as {"$code": …}. */
const MAX_LEVELS = 400;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [word: string, value: JsonNode])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/** @throws CommandError FailedToParse when `text` is not one JSON value. */
export function parseJsonText(text: string): JsonNode {
  const reader = new JsonReader(text);
  const node = reader.value(0);
  reader.expectEnd();
  return node;
}

class JsonReader {
  private readonly text: string;
  private position = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): JsonNode {
    if (depth > MAX_LEVELS) throw new CommandError('Overflow', 'JSON is nested too deeply');
    const start = this.peek();
    if (start === '{') return this.object(depth);
    if (start === '[') return this.array(depth);
    if (start === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.position)) {
        this.position += word.length;
        return value;
      }
    }
    return { digits: this.match(NUMBER) };
  }

  expectEnd(): void {
    if (this.peek() !== undefined) throw this.unexpected();
  }

  private object(depth: number): JsonObject {
    const entries: [string, JsonNode][] = [];
    this.list('{', '}', () => {
      if (this.peek() !== '"') throw this.unexpected();
      const name = this.string();
      this.expect(':');
      entries.push([name, this.value(depth + 1)]);
    });
    return { entries };
  }

  private array(depth: number): JsonNode[] {
    const elements: JsonNode[] = [];
    this.list('[', ']', () => elements.push(this.value(depth + 1)));
    return elements;
  }

  /** What stands between brackets, one item at a time. */
  private list(open: string, close: string, item: () => void): void {
    this.expect(open);
    if (this.peek() !== close) {
      item();
      while (this.peek() === ',') {
        this.position += 1;
        item();
      }
    }
    this.expect(close);
  }

  private string(): string {
    const end = this.stringEnd();
    try {
      // The runtime checks what is inside, and undoes the escapes. A pattern would run out of stack in a string of megabytes.
      const text = String(JSON.parse(this.text.slice(this.position, end)));
      this.position = end;
      return text;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw this.unexpected();
    }
  }

  /** Behind the quote that ends the string which begins here. @throws CommandError when there is none */
  private stringEnd(): number {
    for (let from = this.position + 1; ;) {
      const quote = this.text.indexOf('"', from);
      if (quote === -1) throw this.unexpected();
      let escapes = 0;
      while (this.text[quote - 1 - escapes] === '\\' && quote - 1 - escapes >= from) escapes += 1;
      from = quote + 1;
      if (escapes % 2 === 0) return from;
    }
  }

  /** The next character that is not space; undefined at the end. */
  private peek(): string | undefined {
    SPACE.lastIndex = this.position;
    SPACE.exec(this.text);
    this.position = SPACE.lastIndex;
    return this.text[this.position];
  }

  private expect(character: string): void {
    if (this.peek() !== character) throw this.unexpected();
    this.position += 1;
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (found === null) throw this.unexpected();
    this.position = pattern.lastIndex;
    return found[0];
  }

  private unexpected(): CommandError {
    const what = this.position < this.text.length ? 'Unexpected character' : 'Unexpected end';
    return new CommandError('FailedToParse', `${what} in JSON at position ${this.position}`);
  }
}
