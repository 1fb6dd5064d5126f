/**
 * One collection while the server runs: the history of its description and size, and its next record id.
 *
 * Invariants:
 *  1. A record id is given out once; after a restart the next one lies beyond every id that the journal or base knows.
 *  2. `size` at a commit number is exact: it changes in the same synchronous step as the records.
 */
import type { CollectionUuid, Ident, RecordId } from '../contract.ts';
import { History } from '../delta/history.ts';
import type { OpenSnapshots } from '../delta/open-snapshots.ts';
import type { CollectionVersion } from './collection-version.ts';

/** Records of a collection and the sum of their documents' sizes. */
export interface CollectionSize {
  readonly records: number;
  readonly bytes: number;
}

export const EMPTY_SIZE: CollectionSize = { records: 0, bytes: 0 };

export class CollectionState {
  readonly ident: Ident;
  readonly uuid: CollectionUuid;
  /** The UUID as journal entries carry it. */
  readonly uuidBytes: Buffer;
  /** undefined once it was dropped. */
  readonly versions = new History<CollectionVersion | undefined>();
  readonly sizes = new History<CollectionSize>();
  /** Commit at which an index came or went, or the collection was dropped or renamed: older transactions conflict. */
  schemaChangedAt = 0;
  /** The block of the record map that the next record stands in can be read: see transactions/record-ids.ts. */
  lastBlockIsKnown = false;
  private nextRecordId: number;

  constructor(ident: Ident, uuid: CollectionUuid, firstRecordId: number) {
    this.ident = ident;
    this.uuid = uuid;
    this.uuidBytes = Buffer.from(uuid, 'hex');
    this.nextRecordId = firstRecordId;
  }

  takeRecordId(): RecordId {
    const recordId = this.nextRecordId;
    this.nextRecordId = recordId + 1;
    return recordId as RecordId;
  }

  /** Notes that a record id is in use: replay meets ids that were given out before the crash. */
  noteRecordId(recordId: number): void {
    if (recordId >= this.nextRecordId) this.nextRecordId = recordId + 1;
  }

  /** Highest record id ever given out; 0 for none. */
  get recordIdHighWater(): RecordId {
    return (this.nextRecordId - 1) as RecordId;
  }

  /** Adds to the size as of a commit. */
  grow(commitNumber: number, change: CollectionSize, snapshots: OpenSnapshots): void {
    const before = this.sizes.latest ?? EMPTY_SIZE;
    const after = { records: before.records + change.records, bytes: before.bytes + change.bytes };
    this.sizes.write(commitNumber, after, snapshots);
  }
}
