import assert from 'node:assert/strict';
import { CorruptionError } from '../../../common/errors.ts';
import type { CommitNumber, Ident, RecordId } from '../../../storage/contract.ts';
import {
  blockOfRecordMapKey,
  countBits,
  presentRecords,
  readRecordPlace,
  RECORD_MAP_ENTRY,
  recordBlockOf,
  RecordBlockEditor,
  recordEntryOffset,
  recordMapKey,
  recordSlotOf,
  writeRecordPlace,
} from '../../../storage/format/record-map.ts';
import { hexDump, matchGolden } from '../../support/golden.ts';

describe('record map block', () => {
  const encoded = (seed: number): Buffer => {
    const entry = Buffer.alloc(RECORD_MAP_ENTRY.size);
    writeRecordPlace(entry, placeOf(seed), 0);
    return entry;
  };

  const placeOf = (seed: number) => ({
    sector: seed + 2 ** 38,
    sectors: seed + 1,
    slot: seed,
    bytes: seed * 100,
    generation: seed + 2 ** 39,
    commitNumber: (seed + 2 ** 42) as CommitNumber,
  });

  it('keeps any set of its 32 records', () => {
    for (const slots of [
      [0],
      [31],
      [0, 31],
      [3, 4, 5, 30],
      Array.from({ length: 32 }, (_, n) => n),
    ]) {
      const editor = new RecordBlockEditor();
      editor.load(undefined);
      for (const slot of slots.toReversed()) editor.set(slot, encoded(slot), 0);
      const block = editor.finish();
      assert.ok(block !== undefined);
      const present = presentRecords(block);
      assert.equal(countBits(present), slots.length);
      for (const slot of slots) {
        assert.deepEqual(readRecordPlace(block, recordEntryOffset(present, slot)), placeOf(slot));
      }
      editor.load(block);
      assert.ok(editor.finish()?.equals(block));
    }
  });

  it('is gone when its last record is', () => {
    const editor = new RecordBlockEditor();
    editor.load(undefined);
    editor.set(31, encoded(31), 0);
    editor.remove(31);
    editor.remove(2);
    assert.equal(editor.finish(), undefined);
  });

  it('is refused when its length and its bits disagree', () => {
    for (const block of [Buffer.alloc(3), Buffer.from([1, 0, 0, 0]), Buffer.alloc(28)]) {
      assert.throws(() => presentRecords(block), CorruptionError);
    }
  });

  it('is found by record ids beyond 32 bits', () => {
    for (const recordId of [1, 31, 32, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 33, 2 ** 48 - 1]) {
      const block = recordBlockOf(recordId as RecordId);
      assert.equal(block * 32 + recordSlotOf(recordId as RecordId), recordId);
      assert.equal(blockOfRecordMapKey(recordMapKey(16 as Ident, block)), block);
    }
  });

  it('has the bytes that it always had', () => {
    const editor = new RecordBlockEditor();
    editor.load(undefined);
    editor.set(1, encoded(1), 0);
    editor.set(17, encoded(17), 0);
    const block = editor.finish();
    assert.ok(block !== undefined);
    const key = recordMapKey(300 as Ident, 70_000);
    matchGolden('storage/record-map.txt', `key\n${hexDump(key)}block\n${hexDump(block)}`);
  });
});
