/**
 * Question: what does the insertion of an index entry into a generation cost, in order and at random, and how does it grow?
 *
 * Estimate beforehand: in order 0.2 us (append, copy of the key); at random two binary searches in leaves and directory,
 * 17-20 comparisons of 20 ns: 0.6 us at 100,000 entries, 1 us at a million.
 * Run: `npm run bench -- storage/key-table`.
 */
import { KeyTable } from '../../../storage/delta/key-table.ts';
import { OpenSnapshots } from '../../../storage/delta/open-snapshots.ts';
import { line } from './measure.ts';

const NO_BITS = Buffer.alloc(0);
const snapshots = new OpenSnapshots();

function insertAll(count: number, valueOf: (index: number) => number): string {
  const keys = Array.from({ length: count }, (_, index) => {
    const key = Buffer.alloc(9, 0x2b);
    key.writeUInt32BE(valueOf(index), 1);
    return key;
  });
  const table = new KeyTable({ bytes: 0 });
  const startMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    table.write(
      {
        key: keys[index],
        typeBits: NO_BITS,
        whole: true,
        recordId: index + 1,
        commitNumber: index + 1,
        present: true,
        replaces: false,
      },
      snapshots,
    );
  }
  return `${(((performance.now() - startMs) / count) * 1000).toFixed(2)} us`;
}

const scattered = (index: number): number => Math.imul(index, 2_654_435_761) >>> 0;

insertAll(50_000, scattered);
for (const count of [100_000, 1_000_000]) {
  line(
    `in order, ${count} entries`,
    insertAll(count, (index) => index),
  );
  line(`at random, ${count} entries`, insertAll(count, scattered));
}
