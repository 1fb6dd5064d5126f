/**
 * The worked examples of docs/format are bytes that the code wrote: each stands in a golden dump.
 */
import assert from 'node:assert/strict';
import { readProjectFile } from './source-tree.ts';

/** Where the bytes of each page's examples are kept. (wire.md and index-keys.md have tests of their own.) */
const GOLDEN: Readonly<Record<string, string>> = {
  'superblock.md': 'block-store/superblock.txt',
  'page.md': 'block-store/page.txt',
  'manifest.md': 'block-store/manifest.txt',
  'journal.md': 'storage/journal-segment.txt',
  'lmdb.md': 'storage/record-map.txt',
  'catalog.md': 'storage/catalog.txt',
  'backup.md': 'storage/backup-frame.txt',
};

/** An offset, if the line has one, and then pairs of digits with single spaces between. */
const BYTES = /^(?:[0-9a-f]{8} {2})?((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2,}|$)/;

/** The bytes of a line as hexadecimal digits; undefined for a line of words, or of nothing. */
function bytesOf(line: string): string | undefined {
  return BYTES.exec(line)?.[1]?.replaceAll(' ', '');
}

/** Bytes that lie behind each other, of lines that do. */
function runsOf(text: string): string[] {
  const runs: string[] = [];
  let run = '';
  for (const line of [...text.split('\n'), '']) {
    const bytes = bytesOf(line);
    if (bytes !== undefined) run += bytes;
    else if (run !== '') {
      runs.push(run);
      run = '';
    }
  }
  return runs;
}

function examplesOf(page: string): string[] {
  const fences = readProjectFile(`docs/format/${page}`).matchAll(/^```\n([^]*?)^```$/gm);
  return Array.from(fences, ([, text]) => text ?? '').flatMap(runsOf);
}

describe('the examples of docs/format', () => {
  for (const [page, golden] of Object.entries(GOLDEN)) {
    it(`are bytes that the code writes: ${page}`, () => {
      const examples = examplesOf(page);
      assert.ok(examples.length > 0, `docs/format/${page} has an example in hexadecimal digits`);
      const written = runsOf(readProjectFile(`test/golden/${golden}`));
      for (const example of examples) {
        const isWritten = written.some((run) => run.includes(example));
        assert.ok(isWritten, `${golden} does not hold ${example.slice(0, 64)}...`);
      }
    });
  }
});
