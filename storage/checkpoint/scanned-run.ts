/**
 * A run of scanned index entries, packed: keys and values one after the other in one piece of memory, numbers in typed arrays.
 *
 * Why packed: a build holds hundreds of thousands of entries for seconds. As objects each of them outlives two scavenges and is copied by
 * both, which holds up everybody; packed they are memory that the collector does not look into.
 */
import { compareByteRanges } from '../../bson/index.ts';
import { invariant } from '../../common/assert.ts';
import type { RecordId } from '../contract.ts';

/** Entries that are sorted in one go, about a millisecond. */
export const RUN_ENTRIES = 1024;
/** For keys of about this length; longer ones make it grow. */
const FIRST_BYTES_PER_ENTRY = 40;

export class ScannedRun {
  count = 0;
  private memory = Buffer.allocUnsafeSlow(RUN_ENTRIES * FIRST_BYTES_PER_ENTRY);
  private used = 0;
  /** Of each entry, in the order of arrival: where its key begins, where its value does. Its end is where the next one begins. */
  private readonly keyStarts = new Uint32Array(RUN_ENTRIES + 1);
  private readonly valueStarts = new Uint32Array(RUN_ENTRIES);
  private readonly recordIds = new Float64Array(RUN_ENTRIES);
  private order: Uint16Array | undefined;

  get isFull(): boolean {
    return this.count === RUN_ENTRIES;
  }

  /** Copies both. */
  add(key: Buffer, value: Buffer, recordId: RecordId): void {
    invariant(this.order === undefined, 'scanned run: an entry after the sort');
    const end = this.used + key.length + value.length;
    if (end > this.memory.length) this.grow(end);
    const valueStart = this.used + key.length;
    key.copy(this.memory, this.used);
    value.copy(this.memory, valueStart);
    this.valueStarts[this.count] = valueStart;
    this.recordIds[this.count] = recordId;
    this.count += 1;
    this.keyStarts[this.count] = end;
    this.used = end;
  }

  private grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.memory.length));
    this.memory.copy(larger, 0, 0, this.used);
    this.memory = larger;
  }

  /** By key, then by record; no entry comes after it. */
  sort(): void {
    if (this.order !== undefined) return;
    const order = new Uint16Array(this.count);
    for (let entry = 0; entry < this.count; entry += 1) order[entry] = entry;
    this.order = order.sort((a, b) => this.compareEntries(a, this, b));
  }

  /** Entries are numbered in the order of the sort from here on. */
  key(place: number): Buffer {
    const entry = this.entryAt(place);
    return this.memory.subarray(this.keyStarts[entry], this.valueStarts[entry]);
  }

  value(place: number): Buffer {
    const entry = this.entryAt(place);
    return this.memory.subarray(this.valueStarts[entry], this.keyStarts[entry + 1]);
  }

  recordId(place: number): RecordId {
    return recordIdOf(this.recordIds[this.entryAt(place)]);
  }

  /** Negative when its entry comes before that of another run. */
  compare(place: number, other: ScannedRun, otherPlace: number): number {
    return this.compareEntries(this.entryAt(place), other, other.entryAt(otherPlace));
  }

  private compareEntries(entry: number, other: ScannedRun, otherEntry: number): number {
    const byKey = compareByteRanges(
      this.memory,
      this.keyStarts[entry],
      this.valueStarts[entry],
      other.memory,
      other.keyStarts[otherEntry],
      other.valueStarts[otherEntry],
    );
    return byKey === 0 ? this.recordIds[entry] - other.recordIds[otherEntry] : byKey;
  }

  private entryAt(place: number): number {
    invariant(this.order !== undefined, 'scanned run: read before the sort');
    return this.order[place];
  }
}

/** It was given as one. */
function recordIdOf(number: number): RecordId {
  return number as RecordId;
}
