/**
 * How documents are written to a file: Extended JSON by lines or as an array, CSV, TSV, BSON.
 */
import { stringify } from 'csv-stringify/sync';
import { toExtendedJsonText } from '../../bson/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { cellText } from './csv-cells.ts';

export interface DocumentFormat {
  readonly head: string;
  /** @param index from 0. */
  format(document: Buffer, index: number): Buffer;
  readonly foot: string;
}

export interface JsonOptions {
  readonly relaxed: boolean;
  readonly asArray: boolean;
  readonly pretty: boolean;
}

export function jsonFormat({ relaxed, asArray, pretty }: JsonOptions): DocumentFormat {
  const textOf = (document: Buffer): string => {
    const text = toExtendedJsonText(document, { relaxed });
    return pretty ? indented(text) : text;
  };
  return {
    head: asArray ? '[' : '',
    format: (document, index) => {
      const text = textOf(document);
      return Buffer.from(asArray ? `${index === 0 ? '' : ','}\n${text}` : `${text}\n`);
    },
    foot: asArray ? '\n]\n' : '',
  };
}

/** Strings whole; else the characters that structure JSON, one by one. */
const JSON_TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:]+/g;

/** JSON text with a line for each field. JSON.stringify would move names that look like numbers. */
function indented(text: string): string {
  let depth = 0;
  let out = '';
  for (const [token] of text.matchAll(JSON_TOKENS)) {
    const isOpening = token === '{' || token === '[';
    const isClosing = token === '}' || token === ']';
    if (isClosing) depth -= 1;
    // Of an empty document or array nothing stands between.
    const isEmpty = isClosing && /[{[]$/.test(out.trimEnd()) && /[{[]\n\t*$/.test(out);
    if (isEmpty) out = out.trimEnd();
    else if (isClosing) out += `\n${'\t'.repeat(depth)}`;
    out += token === ':' ? ': ' : token;
    if (isOpening) depth += 1;
    if (isOpening || token === ',') out += `\n${'\t'.repeat(depth)}`;
  }
  return out;
}

export interface TableOptions {
  readonly fields: readonly string[];
  /** TSV has no quotes. */
  readonly tabs: boolean;
  readonly headerLine: boolean;
}

export function tableFormat({ fields, tabs, headerLine }: TableOptions): DocumentFormat {
  const paths = fields.map((field) => field.split('.'));
  const line = tabs ? tabbedLine : (cells: readonly string[]) => stringify([cells]);
  return {
    head: headerLine ? line(fields, 0) : '',
    format: (document, index) =>
      Buffer.from(
        line(
          paths.map((path) => cellText(document, path)),
          index + 1,
        ),
      ),
    foot: '',
  };
}

function tabbedLine(cells: readonly string[], index: number): string {
  const bad = cells.find((cell) => /[\t\r\n]/.test(cell));
  if (bad !== undefined) {
    throw new FailedCommand(
      `document ${index} has a value with a tab or a new line in it, which TSV cannot hold; CSV can.`,
    );
  }
  return `${cells.join('\t')}\n`;
}

export const BSON_FORMAT: DocumentFormat = { head: '', format: (document) => document, foot: '' };
