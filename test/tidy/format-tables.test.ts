/**
 * Every layout of storage/format has its table in docs/format, with the same offsets, sizes and types.
 *
 * A layout is a constant of offsets that ends with `size`. The comment above it names its table: a file of docs/format,
 * and with `#` the section; without one, the file's first table is meant.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assertTableFits, readFormatTable, type TableRow } from '../support/format-tables.ts';
import { filesBelow, PROJECT_ROOT, readProjectFile } from './source-tree.ts';

interface Layout {
  readonly path: string;
  readonly name: string;
  /** The comment above it. */
  readonly comment: string;
  /** Its lines in the source. */
  readonly body: string;
}

const LAYOUT =
  /(?:\/\*\*(?<comment>(?:(?!\*\/)[^])*)\*\/\n)?(?:export )?const (?<name>[A-Z_0-9]+) = \{\n(?<body>(?:  .*\n)*?  size: \d+,\n)\}/g;

const layouts: Layout[] = filesBelow('storage/format', '.ts').flatMap((path) =>
  Array.from(readProjectFile(path).matchAll(LAYOUT), ({ groups }) => ({
    path,
    name: groups?.['name'] ?? '',
    comment: groups?.['comment'] ?? '',
    body: groups?.['body'] ?? '',
  })),
);

function tableOf({ name, comment }: Layout): TableRow[] {
  const reference = /docs\/format\/(?<file>[\w-]+\.md)(?:#(?<anchor>[\w-]+))?/.exec(comment);
  assert.ok(reference?.groups, `the comment of ${name} names no file of docs/format`);
  const { file = '', anchor } = reference.groups;
  const lines = readProjectFile(`docs/format/${file}`).split('\n');
  const firstTable = lines.findIndex((line) => line.startsWith('| offset'));
  const heading = lines.findLast(
    (line, index) =>
      line.startsWith('## ') &&
      (anchor === undefined ? index < firstTable : anchorOf(line.slice(3)) === anchor),
  );
  assert.ok(heading, `docs/format/${file} has no section #${anchor}`);
  return readFormatTable(file, heading.slice(3));
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

/** Offsets by name, and `size`, as the module exports them. */
async function offsetsOf({ path, name }: Layout): Promise<Record<string, number>> {
  const module: Record<string, unknown> = await import(
    pathToFileURL(join(PROJECT_ROOT, path)).href
  );
  const layout = module[name];
  assert.ok(typeof layout === 'object' && layout !== null, `${path} does not export ${name}`);
  const offsets: Record<string, number> = {};
  for (const [field, offset] of Object.entries(layout)) {
    assert.ok(typeof offset === 'number', `${field} of ${name} is no offset`);
    offsets[field] = offset;
  }
  return offsets;
}

const BYTES_OF_TYPE: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u48: 6, u64: 8 };

describe('layouts of storage/format', () => {
  it('are found', () => {
    assert.ok(layouts.length >= 12);
  });

  for (const layout of layouts) {
    it(`have a table that says the same: ${layout.name}`, async () => {
      const rows = tableOf(layout);
      assertTableFits(rows, await offsetsOf(layout));
      for (const { name, type, size } of rows) {
        assert.equal(size, BYTES_OF_TYPE[type] ?? size, `size of ${name}, a ${type}`);
        const inCode = new RegExp(`^  ${name}: \\d+, // (u\\d+)`, 'm').exec(layout.body)?.[1];
        assert.equal(type, inCode ?? type, `type of ${name}`);
      }
    });
  }
});
