/**
 * An index build beside writes: scans in slices, loads what it scanned with checkpoints, becomes ready by a catalog record.
 *
 * From its start writers maintain the index in the delta, which is the side table; readers do not use it until it is ready.
 * Invariants:
 *  1. What was scanned as of commit s goes into the base with the first freeze at or after s, before the entries of the
 *     generation that is frozen: a record changed after s has the last word there. Hence a document that was read before a
 *     freeze is not kept after it; it is read again.
 *  2. The build holds no snapshot across slices.
 *  3. A unique index refuses no write before it is ready. Once all of it is loaded its entries are compared, and with them, last in the step
 *     that makes it ready, every key that was written since the comparison began: duplicates that went again in time do not count.
 */
import { CommandError } from '../../common/errors.ts';
import { uassert } from '../../common/assert.ts';
import { decodeIndexKey, getField, isMultikey, uniteMultikeyPaths } from '../../bson/index.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { describeIndex } from '../catalog/index-spec.ts';
import { BulkLoad } from '../checkpoint/bulk-load.ts';
import type { ScanningBuild } from '../checkpoint/freeze.ts';
import type { IndexDescription, MaybePromise, RecordCursor } from '../contract.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import { newIndexes } from '../transactions/catalog-entries.ts';
import { duplicateKeyError } from '../transactions/duplicate-key.ts';
import { commitNow } from '../transactions/publish.ts';
import { nextReadable, type OnDamage } from '../views/damaged-record.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import { activeGeneration, type StoreState } from '../views/store-state.ts';
import { indexWrite, withIndexes, withoutIndexes } from './published-indexes.ts';
import { ScannedKeys } from './scanned-keys.ts';

/** Most records scanned between two turns of the event loop: fewer when they are large, or have many keys. */
const SLICE_RECORDS = 64;
const SLICE_BYTES = 256 * 1024;
const SLICE_ENTRIES = 512;
/** Scanned entries kept in memory before a checkpoint loads them. */
const LOAD_BYTES = 32 * 1024 * 1024;

export interface LargeBuildOptions {
  /** Throws when the build is to end. */
  readonly checkRunning: () => void;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  /** Hears of damaged records, which get no entries then; undefined: they end the build. */
  readonly onDamage: OnDamage | undefined;
  readonly smallRecords: number;
}

export class LargeBuild implements ScanningBuild {
  private readonly store: StoreState;
  private readonly takeCheckpoint: () => Promise<void>;
  private readonly checkRunning: () => void;
  private readonly onProgress: (done: number, total: number) => void;
  private readonly onDamage: OnDamage | undefined;
  private readonly sliceRecords: number;
  private indexes: readonly IndexDescription[] = [];
  private loads: BulkLoad[] = [];
  private state: CollectionState | undefined;

  constructor(
    store: StoreState,
    takeCheckpoint: () => Promise<void>,
    { checkRunning, onProgress, onDamage, smallRecords }: LargeBuildOptions,
  ) {
    // A slice is no larger than what is small enough for one step.
    this.sliceRecords = Math.min(SLICE_RECORDS, smallRecords);
    this.store = store;
    this.takeCheckpoint = takeCheckpoint;
    this.checkRunning = checkRunning;
    this.onProgress = onProgress ?? (() => {});
    this.onDamage = onDamage;
  }

  takeScanned(): readonly BulkLoad[] {
    const taken = this.loads;
    this.loads = this.indexes.map(({ ident }) => new BulkLoad(ident));
    // An index that was dropped meanwhile must not leave a tree behind that nobody knows.
    const known = new Set(this.state?.versions.latest?.indexes.map(({ ident }) => ident));
    return taken.filter(({ count, index }) => count > 0 && known.has(index));
  }

  async run(
    namespace: string,
    specs: readonly Buffer[],
    check: (version: CollectionVersion) => void,
    scanning: Set<ScanningBuild>,
  ): Promise<void> {
    const state = this.start(namespace, specs, check);
    this.state = state;
    scanning.add(this);
    try {
      const scanned = new ScannedKeys(this.store, this.indexes);
      await this.scan(state, scanned);
      await this.takeCheckpoint();
      for (const index of this.indexes) if (index.unique) await this.checkUnique(state, index);
      await this.compareWritten(state);
      this.checkRunning();
      this.finish(state, scanned);
    } catch (error) {
      this.abort(state);
      throw error;
    } finally {
      scanning.delete(this);
      for (const { ident } of this.indexes) this.store.watchedKeys.delete(ident);
    }
  }

  /** Publishes the indexes as not ready: from this commit on writers maintain them. */
  private start(
    namespace: string,
    specs: readonly Buffer[],
    check: (version: CollectionVersion) => void,
  ): CollectionState {
    const { store } = this;
    const found = store.catalog.collection(namespace, store.lastCommitNumber);
    uassert(found !== undefined, 'NamespaceNotFound', `ns does not exist: ${namespace}`);
    const state = store.catalog.stateByIdent(found.ident);
    uassert(state !== undefined, 'NamespaceNotFound', `ns does not exist: ${namespace}`);
    check(found);
    this.indexes = specs.map((spec) =>
      describeIndex(Buffer.from(spec), { ident: store.catalog.takeIdent(), ready: false }),
    );
    this.loads = this.indexes.map(({ ident }) => new BulkLoad(ident));
    const version = withIndexes(store, found, [...found.indexes, ...this.indexes]);
    commitNow(store, [indexWrite(state, version, 'startIndexBuild', newIndexes(this.indexes))]);
    return state;
  }

  private async scan(state: CollectionState, scanned: ScannedKeys): Promise<void> {
    let view = new SnapshotView(this.store);
    const collection = this.versionOf(state);
    const total = view.recordCount(collection);
    let done = 0;
    let slice = { records: 0, bytes: 0, entries: 0 };
    let cursor = view.scanRecords(collection);
    try {
      for (;;) {
        const after = cursor.recordId;
        if (!(await this.nextOf(cursor))) return;
        if (view.commitNumber < this.store.frozenUpTo) {
          // Invariant 1: a freeze came between this view and now.
          view.close();
          view = new SnapshotView(this.store);
          cursor = view.scanRecords(collection, { after });
          continue;
        }
        const pending = scanned.prepare(cursor.document);
        if (pending !== undefined) {
          await pending;
          this.checkRunning();
          // It is read again: nobody knows what came while its keys were made.
          view.close();
          view = new SnapshotView(this.store);
          cursor = view.scanRecords(collection, { after });
          continue;
        }
        slice.entries += this.keep(scanned, cursor);
        slice.bytes += cursor.document.length;
        slice.records += 1;
        done += 1;
        const isOver =
          slice.records >= this.sliceRecords ||
          slice.bytes >= SLICE_BYTES ||
          slice.entries >= SLICE_ENTRIES;
        if (!isOver) continue;
        slice = { records: 0, bytes: 0, entries: 0 };
        this.onProgress(done, Math.max(done, total));
        cursor.detach();
        view.close();
        await this.betweenSlices(state);
        view = new SnapshotView(this.store);
        cursor.attach(view);
      }
    } finally {
      view.close();
    }
  }

  private nextOf(cursor: RecordCursor): MaybePromise<boolean> {
    return this.onDamage === undefined ? cursor.next() : nextReadable(cursor, this.onDamage);
  }

  /** @returns how many keys the document has */
  private keep(scanned: ScannedKeys, cursor: RecordCursor): number {
    const { recordId } = cursor;
    let entries = 0;
    const { keys } = activeGeneration(this.store);
    scanned.keysOf(cursor.document, (position, stored) => {
      entries += 1;
      // What a writer added since the freeze is the generation's affair, which forgets it when it goes again.
      const written = keys.get(this.indexes[position].ident)?.newestRow(stored.key, recordId);
      if (written !== undefined && written !== NO_ROW) return;
      this.loads[position].add({ stored, recordId });
    });
    return entries;
  }

  private async betweenSlices(state: CollectionState): Promise<void> {
    this.checkRunning();
    this.versionOf(state);
    const bytes = this.loads.reduce((sum, load) => sum + load.bytes, 0);
    if (bytes > LOAD_BYTES) await this.takeCheckpoint();
    else await new Promise((resolve) => setImmediate(resolve));
  }

  /** Compares neighbours: two entries with one key are a duplicate. */
  private async checkUnique(state: CollectionState, index: IndexDescription): Promise<void> {
    this.store.watchedKeys.set(index.ident, new Set());
    let view = new SnapshotView(this.store);
    const cursor = view.scanIndex(index, {}, 1);
    let previous: Buffer | undefined;
    let entries = 0;
    try {
      while (cursor.next()) {
        const key = cursor.key;
        // Between two slices the key may have moved from one record to another.
        if (previous?.equals(key) === true) await this.requireOne(state, index, view, key);
        previous = key;
        entries += 1;
        if (entries % SLICE_ENTRIES !== 0) continue;
        cursor.detach();
        view.close();
        await this.betweenSlices(state);
        view = new SnapshotView(this.store);
        cursor.attach(view);
      }
    } finally {
      view.close();
    }
  }

  /** Compares what was written meanwhile, until so little is left that it fits into the last step. */
  private async compareWritten(state: CollectionState): Promise<void> {
    for (;;) {
      const left = this.indexes.map((index) => this.store.watchedKeys.get(index.ident)?.size ?? 0);
      if (left.every((count) => count <= SLICE_RECORDS)) return;
      for (const index of this.indexes) {
        if (!index.unique) continue;
        const written = this.store.watchedKeys.get(index.ident) ?? new Set();
        this.store.watchedKeys.set(index.ident, new Set());
        let view = new SnapshotView(this.store);
        try {
          for (const [position, key] of [...written].entries()) {
            await this.requireOne(state, index, view, Buffer.from(key, 'latin1'));
            if (position % SLICE_RECORDS !== SLICE_RECORDS - 1) continue;
            view.close();
            await this.betweenSlices(state);
            view = new SnapshotView(this.store);
          }
        } finally {
          view.close();
        }
      }
    }
  }

  /** @throws CommandError 11000 when two records have the key */
  private requireOne(
    state: CollectionState,
    index: IndexDescription,
    view: SnapshotView,
    key: Buffer,
  ): MaybePromise<void> {
    const cursor = view.scanIndex(index, { lower: key, upper: key }, 1);
    if (!cursor.next() || !cursor.next()) return undefined;
    const { typeBits, keyIsWhole } = cursor;
    const document = view.record(this.versionOf(state), cursor.recordId);
    if (document instanceof Promise) {
      return document.then((loaded) => {
        throw this.duplicate(state, index, key, typeBits, keyIsWhole, loaded);
      });
    }
    throw this.duplicate(state, index, key, typeBits, keyIsWhole, document);
  }

  private duplicate(
    state: CollectionState,
    index: IndexDescription,
    key: Buffer,
    typeBits: Buffer,
    whole: boolean,
    document: Buffer | undefined,
  ): CommandError {
    const { namespace } = this.versionOf(state);
    const directions = index.fields.map(({ direction }) => direction);
    if (whole && decodeIndexKey(key, typeBits, directions).length > 0) {
      return duplicateKeyError(namespace, index, { key, typeBits });
    }
    // A key that was cut is told from the document.
    const keys = new ScannedKeys(this.store, [index]);
    let error = plainDuplicate(namespace, index);
    if (document !== undefined) {
      keys.keysOf(document, (_position, stored, encoded) => {
        if (stored.key.equals(key)) error = duplicateKeyError(namespace, index, encoded);
      });
    }
    return error;
  }

  /** One synchronous step: what is compared here is what there is when the indexes become ready. */
  private finish(state: CollectionState, scanned: ScannedKeys): void {
    this.compareLast(state);
    const version = this.versionOf(state);
    const built = this.indexes.map(({ ident, spec }, position) => ({
      ident,
      spec,
      multikeyPaths: scanned.multikeyPaths(position),
    }));
    const indexes = version.indexes.map((index) => {
      const found = built.find(({ ident }) => ident === index.ident);
      if (found === undefined) return index;
      const multikeyPaths = uniteMultikeyPaths(index.multikeyPaths, found.multikeyPaths);
      return { ...index, ready: true, multikeyPaths, multikey: isMultikey(multikeyPaths) };
    });
    const ready = withIndexes(this.store, version, indexes);
    commitNow(this.store, [indexWrite(state, ready, 'commitIndexBuild', built)]);
  }

  private compareLast(state: CollectionState): void {
    const view = new SnapshotView(this.store);
    try {
      for (const index of this.indexes) {
        for (const key of this.store.watchedKeys.get(index.ident) ?? []) {
          const compared = this.requireOne(state, index, view, Buffer.from(key, 'latin1'));
          // The document of a duplicate is on the device: that there is one is known already.
          if (compared !== undefined) {
            compared.catch(() => {});
            throw plainDuplicate(this.versionOf(state).namespace, index);
          }
        }
      }
    } finally {
      view.close();
    }
  }

  /** Takes the indexes out of the catalog again, unless they or the collection are gone already. */
  private abort(state: CollectionState): void {
    const version = state.versions.latest;
    if (version === undefined || this.store.failure !== undefined) return;
    const left = version.indexes.filter((index) =>
      this.indexes.some(({ ident }) => ident === index.ident),
    );
    if (left.length === 0) return;
    commitNow(this.store, [
      indexWrite(
        state,
        withoutIndexes(this.store, version, left),
        'abortIndexBuild',
        newIndexes(left),
      ),
    ]);
  }

  /** @throws CommandError when the collection or an index of this build was dropped. */
  private versionOf(state: CollectionState): CollectionVersion {
    const version = state.versions.latest;
    const whole = this.indexes.every((built) =>
      version?.indexes.some(({ ident }) => ident === built.ident),
    );
    if (version === undefined || !whole) {
      throw new CommandError('IndexBuildAborted', 'Index build aborted: the index was dropped');
    }
    return version;
  }
}

/** When the key itself cannot be told. */
function plainDuplicate(namespace: string, index: IndexDescription): CommandError {
  return new CommandError(
    'DuplicateKey',
    `E11000 duplicate key error collection: ${namespace} index: ${index.name}`,
    { fields: { keyPattern: getField(index.spec, 'key') } },
  );
}
