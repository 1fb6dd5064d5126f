/**
 * Reads of one LMDB read transaction: point reads and cursors, all synchronous.
 *
 * Measured (200,000 entries, 18-byte keys): get 0.6 us, a cursor 0.2 us per entry and 2.5 us to open or seek.
 */
import type { RangeOptions, Transaction } from 'lmdb';
import { invariant } from '../../common/assert.ts';
import { CorruptionError } from '../../common/errors.ts';
import {
  decodeStoreIdentity,
  STORE_IDENTITY_KEY,
  type CheckpointStamp,
} from '../format/store-identity.ts';
import { MAX_STORE_KEY_BYTES } from '../format/tree-key.ts';
import { OpenList, type OpenPlace } from '../open-list.ts';
import type { IndexSnapshot, StoreCursor, StoreRange } from './contract.ts';
import type { Environment } from './lmdb-environment.ts';
import { CHECKSUM_BYTES, checkValue, openValue } from './sealed-value.ts';
import { storeIsMissing } from './store-checks.ts';

type Entry = { readonly key: Buffer; readonly value: Buffer };

export class LmdbSnapshot implements IndexSnapshot {
  readonly stamp: CheckpointStamp;
  private readonly environment: Environment;
  private readonly readOptions: { readonly transaction: Transaction };
  private readonly onRelease: (snapshot: LmdbSnapshot) => void;
  private readonly openCursors = new OpenList<LmdbCursor>();
  private released = false;

  constructor(
    environment: Environment,
    transaction: Transaction,
    onRelease: (snapshot: LmdbSnapshot) => void,
  ) {
    this.environment = environment;
    this.readOptions = { transaction };
    this.onRelease = onRelease;
    const identity = this.get(STORE_IDENTITY_KEY);
    if (identity === undefined) throw storeIsMissing('index store');
    this.stamp = decodeStoreIdentity(identity).stamp;
  }

  get(key: Buffer): Buffer | undefined {
    // lmdb would read through the freed transaction.
    invariant(!this.released, 'index snapshot: read after release');
    const sealed = this.sealedValueOf(key);
    return sealed === undefined ? undefined : openValue(key, sealed);
  }

  private sealedValueOf(key: Buffer): Buffer | undefined {
    try {
      return this.environment.get(key, this.readOptions);
    } catch (error) {
      throw asCorruption(error);
    }
  }

  scan(range: StoreRange): StoreCursor {
    invariant(!this.released, 'index snapshot: scan after release');
    return new LmdbCursor(this, range);
  }

  release(): void {
    if (this.released) return;
    for (const cursor of this.openCursors) cursor.close();
    this.released = true;
    this.readOptions.transaction.done();
    this.onRelease(this);
  }

  /** For LmdbCursor. */
  get transaction(): Transaction {
    return this.readOptions.transaction;
  }

  /** For LmdbCursor: an iterator that must end before this snapshot is released. */
  openIterator(cursor: LmdbCursor, options: RangeOptions): Iterator<Entry> {
    invariant(!this.released, 'index snapshot: scan after release');
    cursor.place = this.openCursors.add(cursor);
    return this.environment.getRange(options)[Symbol.iterator]();
  }

  /** For LmdbCursor: its iterator has ended. */
  iteratorEnded(cursor: LmdbCursor): void {
    if (cursor.place !== undefined) this.openCursors.remove(cursor.place);
    cursor.place = undefined;
  }
}

const NO_BYTES = Buffer.alloc(0);

class LmdbCursor implements StoreCursor {
  /** For LmdbSnapshot: among its open cursors, while an iterator is open. */
  place: OpenPlace<LmdbCursor> | undefined;
  private readonly snapshot: LmdbSnapshot;
  private readonly range: StoreRange;
  private readonly ascending: boolean;
  private iterator: Iterator<Entry> | undefined;
  /** Where the next iterator starts: a bound of the range, a seek's key, or the last key returned. */
  private start: Buffer | undefined;
  private startInclusive: boolean;
  private ended = false;
  private currentKey: Buffer = NO_BYTES;
  private currentSealed: Buffer = NO_BYTES;

  constructor(snapshot: LmdbSnapshot, range: StoreRange) {
    this.snapshot = snapshot;
    this.range = range;
    this.ascending = range.direction !== -1;
    const { lowerInclusive = true, upperInclusive = false } = range;
    this.start = this.ascending ? range.lower : range.upper;
    this.startInclusive = this.ascending ? lowerInclusive : upperInclusive;
  }

  get key(): Buffer {
    return this.currentKey;
  }

  get value(): Buffer {
    return this.currentSealed.subarray(0, this.currentSealed.length - CHECKSUM_BYTES);
  }

  next(): boolean {
    if (this.ended) return false;
    const step = this.step();
    if (step.done === true) {
      // lmdb has closed its cursor by itself.
      this.iterator = undefined;
      this.snapshot.iteratorEnded(this);
      this.ended = true;
      return false;
    }
    const entry = step.value;
    checkValue(entry.key, entry.value);
    this.currentKey = entry.key;
    this.currentSealed = entry.value;
    return true;
  }

  private step(): IteratorResult<Entry, unknown> {
    try {
      this.iterator ??= this.open();
      return this.iterator.next();
    } catch (error) {
      throw asCorruption(error);
    }
  }

  seek(key: Buffer): void {
    this.endIterator();
    const { lower, lowerInclusive = true, upper, upperInclusive = false } = this.range;
    const bound = this.ascending ? lower : upper;
    const boundInclusive = this.ascending ? lowerInclusive : upperInclusive;
    const order = bound === undefined ? 1 : Buffer.compare(key, bound);
    const beyondBound = this.ascending ? order > 0 : order < 0;
    this.start = bound === undefined || beyondBound ? key : bound;
    this.startInclusive = bound === undefined || beyondBound || boundInclusive;
    this.currentKey = NO_BYTES;
    this.ended = false;
  }

  suspend(): void {
    if (this.iterator === undefined) return;
    this.endIterator();
    if (this.currentKey.length === 0) return;
    this.start = this.currentKey;
    this.startInclusive = false;
  }

  close(): void {
    this.endIterator();
    this.ended = true;
  }

  private open(): Iterator<Entry> {
    const { lower, lowerInclusive = true, upper, upperInclusive = false } = this.range;
    const end = this.ascending ? upper : lower;
    return this.snapshot.openIterator(this, {
      start: storeBound(this.start),
      end: storeBound(end),
      exclusiveStart: !this.startInclusive,
      inclusiveEnd: this.ascending ? upperInclusive : lowerInclusive,
      reverse: !this.ascending,
      transaction: this.snapshot.transaction,
    });
  }

  private endIterator(): void {
    if (this.iterator === undefined) return;
    this.iterator.return?.();
    this.iterator = undefined;
    this.snapshot.iteratorEnded(this);
  }
}

/** What LMDB says of pages that are not what they should be, such as MDB_CORRUPTED or MDB_PAGE_NOTFOUND. */
function asCorruption(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes('MDB_')) return error;
  return new CorruptionError('malformed', 'index store', `LMDB cannot read it: ${error.message}`, {
    cause: error,
  });
}

/** lmdb refuses a bound longer than its longest key. No key is as long, so that cutting a bound keeps its place. */
function storeBound(bound: Buffer | undefined): Buffer | undefined {
  if (bound === undefined || bound.length <= MAX_STORE_KEY_BYTES) return bound;
  return bound.subarray(0, MAX_STORE_KEY_BYTES + 1);
}
