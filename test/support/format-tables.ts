/** Reads the layout tables of docs/format, so that tests can compare them with the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface TableRow {
  readonly offset: number;
  readonly size: number;
  readonly type: string;
  readonly name: string;
}

/** Rows of the first table under a heading of docs/format/<file>. */
export function readFormatTable(file: string, heading: string): TableRow[] {
  const path = fileURLToPath(new URL(`../../docs/format/${file}`, import.meta.url));
  const lines = readFileSync(path, 'utf8').split('\n');
  const start = lines.indexOf(`## ${heading}`);
  assert.ok(start >= 0, `${file} has no section ${heading}`);
  const first = lines.findIndex((line, index) => index > start && line.startsWith('| offset'));
  const rows: TableRow[] = [];
  for (const line of lines.slice(first + 2)) {
    if (!line.startsWith('|')) break;
    const [offset, size, type, name] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim());
    rows.push({ offset: Number(offset), size: Number(size), type, name });
  }
  return rows;
}

/**
 * Checks that a layout (names to offsets, and `size`) is what a table says: every name of the code stands there with its
 * offset, rows follow each other without a gap, and they end at the layout's size.
 */
export function assertTableFits(
  rows: readonly TableRow[],
  layout: Readonly<Record<string, number>>,
): void {
  const { size, ...offsets } = layout;
  const byName = new Map(rows.map((row) => [row.name, row]));
  for (const [name, offset] of Object.entries(offsets)) {
    assert.equal(byName.get(name)?.offset, offset, `offset of ${name}`);
  }
  let end = 0;
  for (const row of rows) {
    assert.equal(row.offset, end, `${row.name} does not follow`);
    end += row.size;
  }
  assert.equal(end, size, 'size');
}
