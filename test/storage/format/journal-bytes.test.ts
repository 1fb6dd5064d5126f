import assert from 'node:assert/strict';
import { crc32c } from '../../../common/crc32c.ts';
import { CorruptionError } from '../../../common/errors.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import {
  BATCH_HEADER,
  batchIsIntact,
  peekBatchHeader,
} from '../../../storage/format/journal-batch.ts';
import { readSegmentHeader, SEGMENT_HEADER } from '../../../storage/format/journal-segment.ts';
import { hexDump, matchGolden } from '../../support/golden.ts';
import { insertOf, openAndReplay, STORE_ID } from '../journal/journal-fixture.ts';

const SECTOR = 4096;

describe('bytes of a segment', () => {
  let header: Buffer;
  let batch: Buffer;
  let flushRecord: Buffer;

  before(async () => {
    const volume = new SimulatedVolume({ seed: 1 });
    const { journal } = await openAndReplay(volume);
    journal.append([insertOf(1)]);
    journal.append([insertOf(2), insertOf(3)]);
    await journal.close();
    [header, batch, flushRecord] = [0, 1, 2].map((sector) => volume.peek('0000000001', sector));
  });

  it('are what they always were', () => {
    const text = [header, batch, flushRecord].map(hexDump).join('\n');
    matchGolden('storage/journal-segment.txt', text);
  });

  it('begin with a header that says whose and which segment it is', () => {
    assert.deepEqual(readSegmentHeader(header), {
      blockBytes: SECTOR,
      storeId: STORE_ID,
      number: 1,
      segmentBytes: 1024 * 1024,
      firstSequence: 1,
      firstChain: 0,
      commitBefore: 0,
      timestampBefore: { seconds: 0, increment: 0 },
      chainSegment: 1,
      wallMs: 1_700_000_000_000,
    });
  });

  it('chain each batch to the one before, which a later one says was flushed', () => {
    const first = peekBatchHeader(batch, 0);
    const second = peekBatchHeader(flushRecord, 0);
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual([first.sequence, first.entryCount, first.firstOfEpoch], [1, 3, true]);
    assert.deepEqual([second.sequence, second.entryCount, second.firstOfEpoch], [2, 0, false]);
    assert.deepEqual([first.flushedSequence, second.flushedSequence], [0, 1]);
    assert.equal(second.chain, first.checksum);
    assert.ok(second.epoch.equals(first.epoch));
    assert.deepEqual([first.offset, second.offset], [SECTOR, 2 * SECTOR]);
    assert.ok(batchIsIntact(batch, 0, first, SECTOR));
  });

  it('are no header when any of its bits is wrong', () => {
    for (let bit = 0; bit < SEGMENT_HEADER.size * 8; bit += 1) {
      const damaged = Buffer.from(header);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      assert.equal(readSegmentHeader(damaged), undefined);
    }
  });

  it('are no batch when any bit is wrong, but for bits of the magic number', () => {
    for (let bit = BATCH_HEADER.checksum * 8; bit < SECTOR * 8; bit += 1) {
      const damaged = Buffer.from(batch);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      const peeked = peekBatchHeader(damaged, 0);
      assert.ok(peeked === undefined || !batchIsIntact(damaged, 0, peeked, SECTOR));
    }
  });

  it('are refused with a sentence when their format is newer', () => {
    const newer = Buffer.from(header);
    newer.writeUInt16LE(2, SEGMENT_HEADER.version);
    rewriteChecksum(newer);
    assert.throws(
      () => readSegmentHeader(newer),
      (error) => error instanceof CorruptionError && /format version 2/.test(error.message),
    );
  });
});

function rewriteChecksum(header: Buffer): void {
  const checksum = crc32c(header, SEGMENT_HEADER.version, SEGMENT_HEADER.size);
  header.writeUInt32LE(checksum, SEGMENT_HEADER.checksum);
}
