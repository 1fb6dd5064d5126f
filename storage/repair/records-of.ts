/**
 * Reads the records of one collection through a record map that is being made, in order of record id.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { BlockStore } from '../blocks/contract.ts';
import type { Ident, RecordId } from '../contract.ts';
import {
  blockOfRecordMapKey,
  presentRecords,
  readRecordPlace,
  recordEntryOffset,
  RECORDS_PER_BLOCK,
} from '../format/record-map.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import type { IndexStore } from '../indexes/contract.ts';

/** Blocks of the record map whose pages are fetched together. */
const BLOCKS_AHEAD = 16;

export interface FoundRecord {
  readonly recordId: RecordId;
  readonly document: Buffer;
}

/** A record whose page cannot be read is told and passed over. */
export async function* recordsOf(
  parts: { readonly blocks: BlockStore; readonly indexes: IndexStore },
  collection: Ident,
  onUnreadable: (recordId: number, error: CorruptionError) => void,
): AsyncGenerator<FoundRecord> {
  const { blocks, indexes } = parts;
  const snapshot = indexes.beginRead();
  try {
    const cursor = snapshot.scan({ lower: treePrefix(collection), upper: treeEnd(collection) });
    for (let more = true; more;) {
      const batch: { recordId: RecordId; place: ReturnType<typeof readRecordPlace> }[] = [];
      for (let count = 0; count < BLOCKS_AHEAD && more; count += 1) {
        more = cursor.next();
        if (!more) break;
        const first = blockOfRecordMapKey(cursor.key) * RECORDS_PER_BLOCK;
        const block = cursor.value;
        const present = presentRecords(block);
        for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
          if ((present & (1 << slot)) === 0) continue;
          const place = readRecordPlace(block, recordEntryOffset(present, slot));
          batch.push({ recordId: (first + slot) as RecordId, place });
        }
      }
      cursor.suspend();
      await blocks.prefetch(batch.map(({ place }) => place));
      for (const { recordId, place } of batch) {
        try {
          yield { recordId, document: await blocks.record(place, recordId) };
        } catch (error) {
          if (!(error instanceof CorruptionError)) throw error;
          onUnreadable(recordId, error);
        }
      }
    }
    cursor.close();
  } finally {
    snapshot.release();
  }
}
