/**
 * Columns of CSV and TSV: where each cell goes in the document, and what it becomes.
 */
import type { RawValue } from '../../bson/index.ts';
import { UsageError } from '../../server/index.ts';
import { autoValue, cellParser, type CellParser } from './column-types.ts';

/** What becomes of a cell that is not of its column's type. */
export type ParseGrace = 'autoCast' | 'skipField' | 'skipRow' | 'stop';

export interface Column {
  readonly name: string;
  readonly path: readonly string[];
  readonly type: string;
  readonly parse: CellParser;
}

const TYPED = /^(?<name>.*)\.(?<type>\w+)\((?<argument>.*)\)$/s;

/** @throws UsageError for names that cannot stand beside each other in one document. */
export function columnsOf(
  headers: readonly string[],
  { typed, arrayIndexes }: { readonly typed: boolean; readonly arrayIndexes: boolean },
): Column[] {
  const columns = headers.map((header) => (typed ? typedColumn(header) : autoColumn(header)));
  checkColumns(columns, arrayIndexes);
  return columns;
}

/** Commas inside of parentheses do not separate: `when.date(Jan 2, 2006)`. */
export function splitFields(text: string): string[] {
  const fields: string[] = [];
  let level = 0;
  let field = '';
  for (const character of text) {
    if (character === '(') level += 1;
    else if (character === ')' && level > 0) level -= 1;
    if (character === ',' && level === 0) {
      fields.push(field);
      field = '';
    } else field += character;
  }
  return [...fields, field];
}

function autoColumn(name: string): Column {
  return { name, path: name.split('.'), type: 'auto', parse: autoValue };
}

function typedColumn(header: string): Column {
  const { name, type, argument } = TYPED.exec(header)?.groups ?? {};
  if (name === undefined || type === undefined || argument === undefined) {
    throw new UsageError(
      `--columnsHaveTypes: '${header}' names no type; it should look like 'age.int32()'.`,
    );
  }
  return { name, path: name.split('.'), type, parse: cellParser(type, argument) };
}

export function checkColumns(
  columns: readonly Pick<Column, 'name' | 'path'>[],
  arrayIndexes: boolean,
): void {
  const leaves = new Set<string>();
  const inner = new Map<string, string>();
  const arrays = new Map<string, number>();
  for (const { name, path } of columns) {
    checkName(name);
    if (leaves.has(name)) throw new UsageError(`two columns have the name '${name}'.`);
    const above = path.map((_, depth) => path.slice(0, depth).join('.')).slice(1);
    const value =
      above.find((each) => leaves.has(each)) ?? (inner.has(name) ? inner.get(name) : undefined);
    if (value !== undefined) {
      throw new UsageError(`the columns '${value}' and '${name}' cannot both be in a document.`);
    }
    for (const each of above) if (!inner.has(each)) inner.set(each, name);
    if (arrayIndexes) checkIndexes(name, path, arrays);
    leaves.add(name);
  }
}

/** Elements of an array come in their order, from 0 on; what holds them holds nothing else. */
function checkIndexes(name: string, path: readonly string[], arrays: Map<string, number>): void {
  for (let depth = 1; depth < path.length; depth += 1) {
    const parent = path.slice(0, depth).join('.');
    const next = arrays.get(parent) ?? 0;
    const index = arrayIndex(path[depth]);
    if (index === undefined ? next > 0 : index > next || (next === 0 && index > 0)) {
      throw new UsageError(
        `'${name}': the numbers of an array's elements begin with 0 and follow each other.`,
      );
    }
    if (index !== undefined) arrays.set(parent, Math.max(next, index + 1));
  }
}

/** A number without leading zeros; undefined for every other name. */
export function arrayIndex(name: string | undefined): number | undefined {
  return name !== undefined && /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : undefined;
}

function checkName(name: string): void {
  const fault =
    name === ''
      ? 'is empty'
      : name.endsWith('.')
        ? "ends with a '.'"
        : name.startsWith('.')
          ? "begins with a '.'"
          : name.startsWith('$')
            ? "begins with a '$'"
            : name.includes('..')
              ? "has two '.' behind each other"
              : undefined;
  if (fault !== undefined) throw new UsageError(`the name of a column, '${name}', ${fault}.`);
}

/** The value of one cell. */
export function cellValue(
  column: Column,
  text: string,
  grace: ParseGrace,
): RawValue | 'skipField' | 'skipRow' | 'stop' {
  const value = column.parse(text);
  if (value !== undefined) return value;
  return grace === 'autoCast' ? autoValue(text) : grace;
}

/** A cell beyond the last column. */
export function surplusColumn(index: number): Column {
  return autoColumn(`field${index}`);
}
