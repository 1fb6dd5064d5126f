/**
 * Golden files: what a format looked like when somebody last looked at it.
 *
 * A test compares its text with test/golden/<name>. With FLINT_GOLDEN=write (`npm run golden`) it writes the text there
 * instead, for review.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const BYTES_PER_LINE = 16;

/** Compares with a golden file, or writes it. @param name path below test/golden, such as 'storage/page.txt' */
export function matchGolden(name: string, actual: string): void {
  const path = fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
  if (process.env['FLINT_GOLDEN'] === 'write') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
    return;
  }
  assert.equal(
    actual,
    readFileSync(path, 'utf8'),
    `differs from test/golden/${name}: look why; if it should, run npm run golden`,
  );
}

/** Bytes as lines of offset, hexadecimal and text. A run of equal lines is shown once, then as '*'. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  let before: Buffer | undefined;
  let repeating = false;
  for (let offset = 0; offset < bytes.length; offset += BYTES_PER_LINE) {
    const row = bytes.subarray(offset, offset + BYTES_PER_LINE);
    const isLast = offset + BYTES_PER_LINE >= bytes.length;
    if (before !== undefined && row.equals(before) && !isLast) {
      if (!repeating) lines.push('*');
      repeating = true;
      continue;
    }
    repeating = false;
    before = row;
    lines.push(dumpRow(offset, row));
  }
  return `${lines.join('\n')}\n`;
}

/** Takes a hexDump back. */
export function parseHexDump(dump: string): Buffer {
  const rows: Buffer[] = [];
  let length = 0;
  for (const line of dump.trimEnd().split('\n')) {
    if (line === '*') continue;
    const offset = Number.parseInt(line.slice(0, 8), 16);
    const last = rows.at(-1);
    while (last !== undefined && length < offset) {
      rows.push(last);
      length += last.length;
    }
    const row = Buffer.from(line.slice(10, 58).replaceAll(' ', ''), 'hex');
    rows.push(row);
    length += row.length;
  }
  return Buffer.concat(rows);
}

function dumpRow(offset: number, row: Buffer): string {
  const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const text = [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'));
  const place = offset.toString(16).padStart(8, '0');
  return `${place}  ${hex.padEnd(BYTES_PER_LINE * 3 - 1)}  ${text.join('')}`;
}
