import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { CorruptionError } from '../../../common/errors.ts';
import { readRun, RunWriter } from '../../../query/spill/document-run.ts';
import type { SpillFile } from '../../../storage/index.ts';

/** A spill file in memory, whose bytes a test may change. */
class FileInMemory implements SpillFile {
  bytes = Buffer.alloc(0);

  get size(): number {
    return this.bytes.length;
  }

  append(bytes: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  read(into: Buffer, offset: number): number {
    return this.bytes.copy(into, 0, offset);
  }

  close(): void {}
}

const DOCUMENTS = Array.from({ length: 40 }, (_, id) =>
  documentOf({ _id: id, pad: 'p'.repeat(id % 7 === 0 ? 300 : 9) }),
);

function written(): { file: FileInMemory; end: number } {
  const file = new FileInMemory();
  const writer = new RunWriter(file);
  for (const [position, document] of DOCUMENTS.entries()) writer.write(document, position + 1);
  return { file, end: writer.finish() };
}

describe('A run of documents in a spill file', () => {
  it('gives back what was written, in order', () => {
    const { file, end } = written();
    const read = [...readRun(file, 0, end)];
    assert.deepEqual(
      read.map(({ document }) => document),
      DOCUMENTS,
    );
    assert.deepEqual(
      read.map(({ recordId }) => recordId),
      DOCUMENTS.map((_, position) => position + 1),
    );
  });

  it('names a bit that flipped, wherever it is, and gives out nothing that was not written', () => {
    const { file, end } = written();
    for (let bit = 0; bit < end * 8; bit += 7) {
      const at = bit >> 3;
      file.bytes[at] ^= 1 << (bit & 7);
      const read: Buffer[] = [];
      assert.throws(() => {
        for (const { document } of readRun(file, 0, end)) read.push(document);
      }, CorruptionError);
      assert.deepEqual(read, DOCUMENTS.slice(0, read.length));
      file.bytes[at] ^= 1 << (bit & 7);
    }
  });

  it('names a file that ends early', () => {
    const { file, end } = written();
    file.bytes = file.bytes.subarray(0, end - 3);
    assert.throws(() => [...readRun(file, 0, end)], CorruptionError);
  });
});
