/**
 * Rows of CSV or TSV to documents: cells at dotted names nest, and with array indexes become elements.
 *
 * Promises: memory for a few rows; a row that cannot become a document is named with its line.
 */
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import {
  ArrayBuilder,
  arrayValue,
  DocumentBuilder,
  documentValue,
  RawValue,
} from '../../bson/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import {
  arrayIndex,
  cellValue,
  columnsOf,
  surplusColumn,
  type Column,
  type ParseGrace,
} from './columns.ts';
import type { PlacedDocument } from './placed-document.ts';

export interface RowOptions {
  /** TSV: tabs between cells, and no quotes. */
  readonly tabs: boolean;
  /** undefined: the first line has them. */
  readonly headers: readonly string[] | undefined;
  readonly typed: boolean;
  readonly arrayIndexes: boolean;
  readonly ignoreBlanks: boolean;
  readonly grace: ParseGrace;
  /** Told of every row that is left out. */
  readonly onSkipped: (line: number, why: string) => void;
}

/** A cell, or what lies below a dotted name. */
type Node = RawValue | Branch;
interface Branch {
  readonly entries: Map<string, Node>;
  readonly isArray: boolean;
}

interface Row {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

const LONGEST_ROW = 64 * 1024 * 1024;

/** @throws FailedCommand, UsageError */
export async function* rowDocuments(
  source: AsyncIterable<Uint8Array>,
  options: RowOptions,
): AsyncGenerator<PlacedDocument> {
  let columns = options.headers === undefined ? undefined : columnsOf(options.headers, options);
  for await (const { record, info } of rows(source, options.tabs)) {
    if (columns === undefined) {
      columns = columnsOf(record, options);
      continue;
    }
    const document = documentOf(columns, record, { ...options, line: info.lines });
    if (document !== undefined) yield { document, place: info.lines };
  }
}

async function* rows(source: AsyncIterable<Uint8Array>, tabs: boolean): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    delimiter: tabs ? '\t' : ',',
    record_delimiter: ['\r\n', '\n'],
    quote: tabs ? null : '"',
    escape: tabs ? null : '"',
    relax_column_count: true,
    skip_empty_lines: true,
    info: true,
    max_record_size: LONGEST_ROW,
  });
  const input = Readable.from(source, { objectMode: false });
  // A failure of the source reaches the reader of the rows.
  input.on('error', (error) => parser.destroy(error));
  input.pipe(parser);
  try {
    for await (const row of parser) yield row as Row;
  } catch (error) {
    if (error instanceof CsvError) throw new FailedCommand(error.message);
    throw error;
  } finally {
    input.destroy();
    parser.destroy();
  }
}

/** @returns undefined for a row that is left out. */
function documentOf(
  columns: readonly Column[],
  cells: readonly string[],
  options: RowOptions & { readonly line: number },
): Buffer | undefined {
  const { line, ignoreBlanks, grace, arrayIndexes } = options;
  const root: Branch = { entries: new Map(), isArray: false };
  for (const [index, text] of cells.entries()) {
    if (text === '' && ignoreBlanks) continue;
    const column = columns[index] ?? surplusColumn(index);
    const value = cellValue(column, text, grace);
    if (value === 'skipField') continue;
    if (!(value instanceof RawValue)) {
      const why = `line ${line}, column '${column.name}': '${text}' is no ${column.type}`;
      if (value === 'stop') throw new FailedCommand(`${why}. See --parseGrace.`);
      options.onSkipped(line, why);
      return undefined;
    }
    const fault = put(root, column.path, value, arrayIndexes);
    if (fault !== undefined)
      throw new FailedCommand(`line ${line}, column '${column.name}': ${fault}.`);
  }
  return build(root);
}

/** @returns what is wrong. */
function put(
  root: Branch,
  path: readonly string[],
  value: RawValue,
  arrayIndexes: boolean,
): string | undefined {
  let node = root;
  for (const [depth, name] of path.entries()) {
    if (node.isArray && Number(name) > node.entries.size) {
      return 'the elements before it are missing';
    }
    if (depth === path.length - 1) {
      if (node.entries.has(name)) return 'there is a value of that name already';
      node.entries.set(name, value);
      return undefined;
    }
    const below = node.entries.get(name);
    if (below instanceof RawValue)
      return `'${path.slice(0, depth + 1).join('.')}' has a value already`;
    const isArray = arrayIndexes && arrayIndex(path[depth + 1]) !== undefined;
    const next: Branch = below ?? { entries: new Map(), isArray };
    node.entries.set(name, next);
    node = next;
  }
  return undefined;
}

function build({ entries, isArray }: Branch): Buffer {
  if (isArray) {
    const array = new ArrayBuilder();
    for (const node of entries.values()) array.push(valueOf(node));
    return array.finish();
  }
  const document = new DocumentBuilder();
  for (const [name, node] of entries) document.append(name, valueOf(node));
  return document.finish();
}

function valueOf(node: Node): RawValue {
  if (node instanceof RawValue) return node;
  return node.isArray ? arrayValue(build(node)) : documentValue(build(node));
}
