/**
 * Puts missing index entries in and takes extra ones away, some records at a time, each slice in one synchronous step.
 *
 * Owns: the decision what an entry's record calls for as of now; what an inspection found may be out of date.
 */
import { tassert } from '../../common/assert.ts';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import {
  prepareKeys,
  storedKeyOf,
  type IndexWriter,
  type StoredKey,
} from '../catalog/index-keys.ts';
import type { RecordId } from '../contract.ts';
import type { JournalOperation } from '../format/journal-entry.ts';
import { NO_TYPE_BITS } from '../format/tree-key.ts';
import { committedEntry, committedOwner } from '../transactions/conflicts.ts';
import type { KeyChange, KeysWrite } from '../transactions/pending-write.ts';
import { commitNow } from '../transactions/publish.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { PendingWriter, StoreState } from '../views/store-state.ts';
import type { EntryDifference } from './validate.ts';

/** Differences looked at in one step. */
const SLICE = 128;

/** A record that has no entry under its unique key, because another one has. */
export interface Rivals {
  readonly recordId: RecordId;
  readonly owner: RecordId;
}

export interface EntryMendingOptions {
  readonly journal: JournalOperation;
  /** Entries without a record stay. */
  readonly keepsOrphans: boolean;
}

/** How far a slice came. */
export interface SliceResult {
  readonly done: number;
  /** The next slice can do more once this has resolved. */
  readonly waitFor: Promise<unknown> | undefined;
}

export class EntryMending {
  removed = 0;
  inserted = 0;
  /** By both record ids. */
  private readonly rivalsFound = new Map<string, Rivals>();
  private readonly store: StoreState;
  private readonly state: CollectionState;
  private readonly options: EntryMendingOptions;
  /** Records that cannot be read, and those whose keys were made elsewhere once. */
  private readonly unreadable = new Set<RecordId>();
  private readonly prepared = new Set<RecordId>();

  constructor(store: StoreState, state: CollectionState, options: EntryMendingOptions) {
    this.store = store;
    this.state = state;
    this.options = options;
  }

  get rivals(): readonly Rivals[] {
    return [...this.rivalsFound.values()];
  }

  /** @param differences in order of record id */
  mendFrom(differences: readonly EntryDifference[], from: number): SliceResult {
    const version = this.state.versions.latest;
    if (version === undefined) return { done: differences.length, waitFor: undefined };
    const writes: KeysWrite[] = [];
    const end = Math.min(differences.length, from + SLICE);
    let waitFor: Promise<unknown> | undefined;
    let done = from;
    // From here to the commit nothing is awaited: the view shows what is committed last.
    const view = new SnapshotView(this.store);
    try {
      while (done < end) {
        const { recordId } = differences[done];
        let after = done + 1;
        while (after < differences.length && differences[after].recordId === recordId) after += 1;
        const pending = this.mendRecord(view, version, differences.slice(done, after), writes);
        if (pending !== undefined) {
          waitFor = pending;
          break;
        }
        done = after;
      }
    } finally {
      view.close();
    }
    if (writes.length > 0) this.commit(writes);
    return { done, waitFor };
  }

  private commit([first, ...others]: readonly KeysWrite[]): void {
    tassert(first !== undefined, 'mending: a commit of nothing');
    commitNow(this.store, [{ ...first, journal: this.options.journal }, ...others]);
    for (const { keys } of [first, ...others]) {
      for (const { present } of keys) {
        if (present) this.inserted += 1;
        else this.removed += 1;
      }
    }
  }

  /** Adds what one record needs. @returns what has to be waited for before it can be said */
  private mendRecord(
    view: SnapshotView,
    version: CollectionVersion,
    differences: readonly EntryDifference[],
    writes: KeysWrite[],
  ): Promise<unknown> | undefined {
    const { recordId } = differences[0];
    if (this.unreadable.has(recordId)) return undefined;
    const writer = this.otherWriter((other) => other.hasWrittenRecord(this.state.ident, recordId));
    if (writer !== undefined) return writer.ended;
    const document = this.documentOf(view, version, recordId);
    if (document instanceof Promise) return document;
    if (this.unreadable.has(recordId)) return undefined;
    if (document === undefined && this.options.keepsOrphans) return undefined;
    const writers = version.writers.filter(({ index }) => index.ready);
    if (document !== undefined && !this.prepared.has(recordId)) {
      this.prepared.add(recordId);
      const pending = prepareKeys(writers, document);
      if (pending !== undefined) return pending;
    }
    const keys: KeyChange[] = [];
    for (const indexWriter of writers) {
      const concerned = differences.filter(({ index }) => index === indexWriter.index.ident);
      if (concerned.length === 0) continue;
      const wanted = document === undefined ? NO_KEYS : wantedKeys(indexWriter, document);
      // One that differs in its type bits alone is missing and there: both differences are of one key.
      const byKey = new Map(concerned.map(({ key }) => [key.toString('latin1'), key]));
      for (const key of byKey.values()) {
        const pending = this.mendEntry(indexWriter, recordId, key, wanted, keys);
        if (pending !== undefined) return pending;
      }
    }
    if (keys.length > 0) {
      const { state } = this;
      writes.push({ kind: 'keys', state, recordId, keys, multikey: [], journal: undefined });
    }
    return undefined;
  }

  private mendEntry(
    { index }: IndexWriter,
    recordId: RecordId,
    key: Buffer,
    wanted: ReadonlyMap<string, StoredKey>,
    keys: KeyChange[],
  ): Promise<void> | undefined {
    const stored = wanted.get(key.toString('latin1'));
    const typeBits = committedEntry(this.store, index.ident, key, recordId);
    if (stored === undefined) {
      if (typeBits === undefined) return undefined;
      const gone = { key, typeBits: NO_TYPE_BITS, whole: true };
      keys.push({ index: index.ident, stored: gone, present: false, replaces: false });
      return undefined;
    }
    if (typeBits !== undefined) {
      if (typeBits.equals(stored.typeBits)) return undefined;
      keys.push({ index: index.ident, stored, present: true, replaces: true });
      return undefined;
    }
    if (index.unique) {
      const writer = this.otherWriter((other) => other.hasWrittenKey(index.ident, key));
      if (writer !== undefined) return writer.ended;
      const owner = committedOwner(this.store, index.ident, key, [recordId]);
      if (owner !== undefined) {
        const rivals = { recordId, owner: owner as RecordId };
        this.rivalsFound.set(`${recordId} ${owner}`, rivals);
        return undefined;
      }
    }
    keys.push({ index: index.ident, stored, present: true, replaces: false });
    return undefined;
  }

  private otherWriter(matches: (writer: PendingWriter) => boolean): PendingWriter | undefined {
    for (const writer of this.store.writers) if (matches(writer)) return writer;
    return undefined;
  }

  /** The document, if no page has to be read for it; else a promise of it, which never rejects for damage. */
  private documentOf(
    view: SnapshotView,
    version: CollectionVersion,
    recordId: RecordId,
  ): Buffer | undefined | Promise<void> {
    const noteDamage = (error: unknown): void => {
      const isDamage = error instanceof CorruptionError || error instanceof DeviceError;
      if (!isDamage) throw error;
      this.unreadable.add(recordId);
    };
    try {
      const found = view.record(version, recordId);
      return found instanceof Promise ? found.then(() => {}, noteDamage) : found;
    } catch (error) {
      noteDamage(error);
      return undefined;
    }
  }
}

const NO_KEYS: ReadonlyMap<string, StoredKey> = new Map();

/** By their stored bytes, as text of one character per byte. */
function wantedKeys({ generator }: IndexWriter, document: Buffer): Map<string, StoredKey> {
  const wanted = new Map<string, StoredKey>();
  for (const encoded of generator.keysOf(document).keys) {
    const stored = storedKeyOf(encoded);
    wanted.set(stored.key.toString('latin1'), stored);
  }
  return wanted;
}
