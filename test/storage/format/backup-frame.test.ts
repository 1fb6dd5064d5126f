import assert from 'node:assert/strict';
import { crc32c } from '../../../common/crc32c.ts';
import { CorruptionError } from '../../../common/errors.ts';
import type { CommitNumber } from '../../../storage/contract.ts';
import {
  BACKUP_FRAME,
  decodeClusterPoint,
  decodeFrameHeader,
  decodeJournalFrame,
  decodeSectors,
  encodeClusterPoint,
  encodeFrameHeader,
  encodeJournalFrame,
  encodeSectors,
  type FrameHeader,
} from '../../../storage/format/backup-frame.ts';
import {
  forEachStoreEntry,
  storeEntryBytes,
  writeStoreEntry,
} from '../../../storage/format/store-entries.ts';
import { hexDump, matchGolden } from '../../support/golden.ts';

const KEY = Buffer.from('00000000012c0000000111700a', 'hex');
const VALUE = Buffer.from('value', 'latin1');

function entries(): Buffer {
  const packed = Buffer.alloc(storeEntryBytes(KEY, VALUE));
  writeStoreEntry(packed, 0, KEY, VALUE);
  return packed;
}

function headerOf(contents: Buffer, kind: FrameHeader['kind']): FrameHeader {
  return {
    kind,
    codec: 'none',
    backupId: '000102030405060708090a0b0c0d0e0f',
    sequence: 7,
    storedBytes: contents.length,
    plainBytes: contents.length,
    contentsChecksum: crc32c(contents),
  };
}

const SPAN = {
  before: { commitNumber: 41 as CommitNumber, timestamp: { seconds: 1_763_650_000, increment: 3 } },
  last: { commitNumber: 42 as CommitNumber, timestamp: { seconds: 1_763_650_001, increment: 1 } },
  coveredTo: { seconds: 1_763_650_030, increment: 2 ** 32 - 1 },
};

const POINT = { wallMs: 1_763_650_000_250, commits: [42 as CommitNumber, 7 as CommitNumber] };

describe('a frame of a backup', () => {
  it('is the bytes of docs/format/backup.md', () => {
    const dumps = [
      ['entries', entries()],
      ['sectors', encodeSectors(2 ** 33, 1, Buffer.from('a sector'))],
      ['journal', encodeJournalFrame(SPAN, Buffer.from('entries'))],
      ['point', encodeClusterPoint(POINT)],
    ] as const;
    const text = dumps
      .map(
        ([kind, contents]) =>
          `${kind}\n${hexDump(Buffer.concat([encodeFrameHeader(headerOf(contents, kind)), contents]))}`,
      )
      .join('');
    matchGolden('storage/backup-frame.txt', text);
  });

  it('comes back as it was', () => {
    const header = headerOf(entries(), 'entries');
    assert.deepEqual(decodeFrameHeader(encodeFrameHeader(header)), header);
    const sectors = Buffer.alloc(8, 1);
    assert.deepEqual(decodeSectors(encodeSectors(5, 2, sectors), 4), {
      first: 5,
      count: 2,
      sectors,
    });
    const { entries: packed, ...span } = decodeJournalFrame(
      encodeJournalFrame(SPAN, Buffer.from('x')),
    );
    assert.deepEqual([span, packed.toString()], [SPAN, 'x']);
    assert.deepEqual(decodeClusterPoint(encodeClusterPoint(POINT), 2), POINT);
    assert.throws(() => decodeClusterPoint(encodeClusterPoint(POINT), 3), CorruptionError);
    const seen: string[] = [];
    forEachStoreEntry(Buffer.concat([entries(), entries()]), (key, value) =>
      seen.push(key.toString('hex'), value.toString()),
    );
    assert.deepEqual(seen, [KEY.toString('hex'), 'value', KEY.toString('hex'), 'value']);
  });

  it('is refused with any bit of its header flipped', () => {
    const header = encodeFrameHeader(headerOf(entries(), 'entries'));
    for (let bit = 0; bit < BACKUP_FRAME.size * 8; bit += 1) {
      const damaged = Buffer.from(header);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      assert.throws(() => decodeFrameHeader(damaged), CorruptionError, `bit ${bit}`);
    }
  });

  it('of another version, with lengths that cannot be, or an unknown kind is refused by name', () => {
    const change = (offset: number, value: number): Buffer => {
      const header = encodeFrameHeader(headerOf(entries(), 'entries'));
      header[offset] = value;
      header.writeUInt32LE(crc32c(header, 8, BACKUP_FRAME.size), BACKUP_FRAME.checksum);
      return header;
    };
    assert.throws(() => decodeFrameHeader(change(BACKUP_FRAME.version, 2)), /format version 2/);
    for (const [offset, value] of [
      [BACKUP_FRAME.kind, 9],
      [BACKUP_FRAME.codec, 3],
      [BACKUP_FRAME.storedBytes + 5, 1],
      [BACKUP_FRAME.reserved, 1],
    ]) {
      assert.throws(() => decodeFrameHeader(change(offset, value)), /makes no sense/);
    }
  });

  it('whose contents have a wrong length is refused', () => {
    const cut = entries().subarray(0, -1);
    assert.throws(() => forEachStoreEntry(cut, () => {}), CorruptionError);
    assert.throws(() => decodeSectors(Buffer.alloc(20), 4096), CorruptionError);
    assert.throws(() => decodeSectors(Buffer.alloc(3), 4096), CorruptionError);
    assert.throws(() => decodeJournalFrame(Buffer.alloc(39)), CorruptionError);
  });
});
