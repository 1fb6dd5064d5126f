/**
 * A transaction: reads at its snapshot with its own writes on top, and publishes them in one synchronous step.
 *
 * Owns: its pending writes; until commit nobody else sees them, but to meet a conflict.
 * Invariants:
 *  1. Conflicts are found when a write is made: against other open transactions, and against commits since the snapshot.
 *     As the first writer wins, a write that was made cannot come to conflict later, but through the catalog.
 *  2. commit() is one synchronous step: check, take the commit number, append to the journal, publish. The journal
 *     comes first, because only it may refuse; what follows cannot fail.
 * The common case, begin, one write, commit, builds no overlay: bench/micro/storage/commit.bench.ts.
 */
import {
  getField,
  includesMultikeyPaths,
  type EncodedKey,
  type MultikeyPaths,
} from '../../bson/index.ts';
import { invariant, tassert, uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionSize, CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { prepareKeys, storedKeyOf, type IndexWriter } from '../catalog/index-keys.ts';
import {
  KeysPendingError,
  WriteConflictError,
  type CollectionDescription,
  type CollectionUuid,
  type CommitNumber,
  type CreateCollectionOptions,
  type Ident,
  type IndexDescription,
  type OperationOrigin,
  type RecordId,
  type Transaction,
  type TransactionOptions,
} from '../contract.ts';
import { Generation } from '../delta/generation.ts';
import type { KeyPosition } from '../delta/key-order.ts';
import { OpenSnapshots } from '../delta/open-snapshots.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import type { JournalOperation } from '../format/journal-entry.ts';
import type { OpenPlace } from '../open-list.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { PendingWriter, StoreState } from '../views/store-state.ts';
import { CatalogDraft } from './catalog-draft.ts';
import { checkPendingKeys, checkRecord, committedOwner } from './conflicts.ts';
import { duplicateKeyError } from './duplicate-key.ts';
import { diffKeys } from './key-diff.ts';
import {
  sizeChangeOf,
  writeKeys,
  writeRecord,
  type KeyChange,
  type MultikeyChange,
  type PendingWrite,
  type RecordWrite,
} from './pending-write.ts';
import { publish } from './publish.ts';
import { takeRecordId } from './record-ids.ts';

/** An own generation has no readers but its transaction. */
const NO_SNAPSHOTS = new OpenSnapshots();
/** What an index entry costs in memory beside its bytes, and a record version. */
const KEY_OVERHEAD_BYTES = 64;
const RECORD_OVERHEAD_BYTES = 128;
/** Open transactions together may hold so many times what one may: half of the memory for writes. */
const TRANSACTIONS_TOGETHER = 2;
/** Of what one may hold: below, a transaction goes on however much the others hold. */
const SMALL_PART = 1 / 16;

/** Databases that only the server writes to: sessions, users, views. */
const INTERNAL = /^(?:admin|config|local)\.|\.system\.(?!buckets\.)/;

export class EngineTransaction extends SnapshotView implements Transaction, PendingWriter {
  private readonly writes: PendingWrite[] = [];
  private draft: CatalogDraft | undefined;
  private overlay: Generation | undefined;
  /** How many of the writes have their records in the overlay, and how many their index entries. */
  private overlaidRecords = 0;
  private overlaidKeys = 0;
  private bytes = 0;
  /** Among the writers, from the first write to the end. */
  private writerPlace: OpenPlace<PendingWriter> | undefined;
  private endedPromise: Promise<void> | undefined;
  private resolveEnded: (() => void) | undefined;

  private readonly makesKeys: boolean;

  constructor(store: StoreState, options?: TransactionOptions) {
    super(store);
    this.makesKeys = options?.makesKeys === true;
  }

  // Reading: the snapshot with the own writes on top.

  override get ownWrites(): Generation | undefined {
    if (this.overlaidRecords < this.writes.length) this.overlayRecords();
    return this.ownKeys;
  }

  /** The own index entries alone: an insert looks for duplicates in them, and need not copy documents for that. */
  private get ownKeys(): Generation | undefined {
    if (this.overlaidKeys < this.writes.length) this.overlayKeys();
    return this.overlay;
  }

  override collection(namespace: string): CollectionVersion | undefined {
    const drafted = this.draft?.byNamespace(namespace);
    if (drafted === undefined) return super.collection(namespace);
    return drafted ?? undefined;
  }

  override collectionByUuid(uuid: CollectionUuid): CollectionVersion | undefined {
    const state = this.draft?.stateByUuid(uuid);
    return state === undefined ? super.collectionByUuid(uuid) : this.draft?.versionOf(state);
  }

  override collections(database?: string): readonly CollectionDescription[] {
    const committed = super.collections(database);
    return this.draft === undefined ? committed : this.draft.mergeInto(committed, database);
  }

  override databases(): readonly string[] {
    if (this.draft === undefined) return super.databases();
    const namespaces = this.collections().map(({ namespace }) => namespace);
    return [...new Set(namespaces.map((name) => name.slice(0, name.indexOf('.'))))].sort();
  }

  protected override size(collection: CollectionDescription): CollectionSize {
    let { records, bytes } = super.size(collection);
    for (const write of this.writes) {
      if (write.kind !== 'record' || write.state.ident !== collection.ident) continue;
      const change = sizeChangeOf(write);
      records += change.records;
      bytes += change.bytes;
    }
    return { records, bytes };
  }

  // Writing records.

  insert(collection: CollectionDescription, document: Buffer, origin?: OperationOrigin): RecordId {
    if (this.store.space.isTight) this.refuseGrowth(collection.namespace);
    const { state, version } = this.writable(collection);
    this.requireKeys(version, document);
    const multikey: MultikeyChange[] = [];
    let keys: KeyChange[] | undefined;
    for (const writer of version.writers) {
      const generated = writer.generator.keysOf(document);
      for (const key of generated.keys) {
        const stored = storedKeyOf(key);
        if (writer.refusesDuplicates) this.checkUnique(version, writer, key, stored.key, undefined);
        const change = { index: writer.index.ident, stored, present: true, replaces: false };
        // An empty array that is pushed to takes room for sixteen: most collections have one index.
        if (keys === undefined) keys = [change];
        else keys.push(change);
      }
      noteMultikey(writer, generated.multikeyPaths, multikey);
    }
    const recordId = takeRecordId(this.store, state);
    this.add({
      kind: 'record',
      state,
      recordId,
      document,
      bytesBefore: undefined,
      keys: keys ?? [],
      multikey,
      journal: withOrigin({ op: 'i', ui: state.uuidBytes, rid: recordId, o: document }, origin),
    });
    return recordId;
  }

  update(
    collection: CollectionDescription,
    recordId: RecordId,
    before: Buffer,
    after: Buffer,
    origin?: OperationOrigin,
  ): void {
    if (this.store.space.isTight) this.refuseGrowth(collection.namespace);
    const { state, version } = this.writable(collection);
    checkRecord(this.store, this, state.ident, recordId);
    this.requireKeys(version, before, after);
    const multikey: MultikeyChange[] = [];
    const keys: KeyChange[] = [];
    for (const writer of version.writers) {
      if (writer.generator.hasSameFields?.(before, after) === true) continue;
      const generated = writer.generator.keysOf(after);
      const index = writer.index.ident;
      const { removed, added, replaced } = diffKeys(
        writer.generator.keysOf(before).keys,
        generated.keys,
      );
      this.removeKeys(writer, removed, keys);
      for (const key of added) {
        const stored = storedKeyOf(key);
        if (writer.refusesDuplicates) this.checkUnique(version, writer, key, stored.key, recordId);
        keys.push({ index, stored, present: true, replaces: false });
      }
      for (const key of replaced) {
        keys.push({ index, stored: storedKeyOf(key), present: true, replaces: true });
      }
      noteMultikey(writer, generated.multikeyPaths, multikey);
    }
    this.add({
      kind: 'record',
      state,
      recordId,
      document: after,
      bytesBefore: before.length,
      keys,
      multikey,
      journal: withOrigin(
        { op: 'u', ui: state.uuidBytes, rid: recordId, o: after, o2: idDocument(after) },
        origin,
      ),
    });
  }

  delete(
    collection: CollectionDescription,
    recordId: RecordId,
    before: Buffer,
    origin?: OperationOrigin,
  ): void {
    const { state, version } = this.writable(collection);
    checkRecord(this.store, this, state.ident, recordId);
    this.requireKeys(version, before);
    const keys: KeyChange[] = [];
    for (const writer of version.writers) {
      this.removeKeys(writer, writer.generator.keysOf(before).keys, keys);
    }
    this.add({
      kind: 'record',
      state,
      recordId,
      document: undefined,
      bytesBefore: before.length,
      keys,
      multikey: [],
      journal: withOrigin(
        { op: 'd', ui: state.uuidBytes, rid: recordId, o: idDocument(before) },
        origin,
      ),
    });
  }

  /** @throws KeysPendingError for documents whose keys take long to make, and are not there yet */
  private requireKeys({ writers }: CollectionVersion, first: Buffer, second?: Buffer): void {
    if (this.makesKeys) return;
    const pending = prepareKeys(writers, first);
    const others = second === undefined ? undefined : prepareKeys(writers, second);
    if (pending === undefined && others === undefined) return;
    const made = Promise.all([pending, others]).then(() => undefined);
    throw new KeysPendingError(made, this.writes.length);
  }

  // Changing the catalog.

  createCollection(namespace: string, options?: CreateCollectionOptions): CollectionDescription {
    if (this.store.space.isTight) this.refuseGrowth(namespace);
    return this.drafting().create(namespace, options ?? {});
  }

  dropCollection(collection: CollectionDescription): void {
    this.drafting().drop(collection);
  }

  renameCollection(collection: CollectionDescription, namespace: string): CollectionDescription {
    return this.drafting().rename(collection, namespace);
  }

  createIndex(collection: CollectionDescription, spec: Buffer): IndexDescription {
    if (this.store.space.isTight) this.refuseGrowth(collection.namespace);
    tassert(this.recordCount(collection) === 0, 'createIndex is for empty collections');
    return this.drafting().createIndex(collection, spec);
  }

  dropIndex(collection: CollectionDescription, index: IndexDescription): void {
    this.drafting().dropIndex(collection, index);
  }

  modifyCollection(
    collection: CollectionDescription,
    options: Buffer,
    indexSpecs?: ReadonlyMap<string, Buffer>,
  ): CollectionDescription {
    return this.drafting().modify(collection, options, indexSpecs);
  }

  /** What the server keeps for itself is let through: deletes need it. @throws CommandError OutOfDiskSpace */
  private refuseGrowth(namespace: string): void {
    if (INTERNAL.test(namespace)) return;
    this.store.space.refuseGrowth();
  }

  // Ending.

  savepoint(): number {
    return this.writes.length;
  }

  rollbackTo(savepoint: number): void {
    this.requireOpen();
    invariant(savepoint <= this.writes.length, 'transaction: rolled back to its future');
    this.writes.length = savepoint;
    this.setBytes(this.writes.reduce((sum, write) => sum + costOf(write), 0));
    this.ownWriteCount += 1;
    if (Math.max(this.overlaidRecords, this.overlaidKeys) > savepoint) {
      this.overlay = undefined;
      this.overlaidRecords = 0;
      this.overlaidKeys = 0;
    }
    this.draft?.rebuild();
  }

  commit(): CommitNumber {
    this.requireOpen();
    if (this.writes.length === 0) {
      this.close();
      return this.commitNumber;
    }
    const { store, writes } = this;
    try {
      this.checkCatalog();
      const commitNumber = store.journal.append(journalOf(writes));
      // Lets go of the snapshot first, so that versions which only it sees go as they are replaced.
      this.end();
      publish(store, writes, commitNumber);
      return commitNumber;
    } finally {
      this.end();
    }
  }

  abort(): void {
    this.end();
  }

  override close(): void {
    this.end();
  }

  // What others ask.

  get ended(): Promise<void> {
    this.endedPromise ??= new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    return this.endedPromise;
  }

  hasWrittenRecord(collection: Ident, recordId: RecordId): boolean {
    const table = this.ownWrites?.records.get(collection);
    return table !== undefined && table.newestRow(recordId) !== NO_ROW;
  }

  hasWrittenKey(index: Ident, key: Buffer): boolean {
    const table = this.ownKeys?.keys.get(index);
    if (table === undefined) return false;
    const at: KeyPosition = { leaf: 0, position: 0 };
    table.find(key, -1, at);
    const row = table.order.rowAt(at);
    return row !== NO_ROW && table.keyEquals(row, key);
  }

  hasWrittenNamespace(namespace: string): boolean {
    return this.draft?.touches(namespace) ?? false;
  }

  private end(): void {
    super.close();
    if (this.writerPlace === undefined) return;
    this.store.writers.remove(this.writerPlace);
    this.writerPlace = undefined;
    this.setBytes(0);
    this.resolveEnded?.();
  }

  override endAsTooOld(): void {
    super.endAsTooOld();
    this.end();
  }

  private requireOpen(): void {
    // Reading the epoch throws when the transaction ended, by itself or because memory ran out.
    invariant(this.epoch !== undefined, 'transaction: no epoch');
  }

  private drafting(): CatalogDraft {
    this.requireOpen();
    this.draft ??= new CatalogDraft(this.store, this, this.writes, (write) => this.add(write));
    return this.draft;
  }

  /** The collection as it is now, not as the caller planned with: indexes may have come since. */
  private writable(collection: CollectionDescription): {
    state: CollectionState;
    version: CollectionVersion;
  } {
    this.requireOpen();
    if (this.store.failure !== undefined) throw this.store.failure;
    const drafted = this.draft?.stateByIdent(collection.ident);
    if (drafted !== undefined) {
      const version = this.draft?.versionOf(drafted);
      uassert(version !== undefined, 'NamespaceNotFound', 'Collection was dropped');
      return { state: drafted, version };
    }
    const state = this.store.catalog.stateByIdent(collection.ident);
    if (state === undefined || state.schemaChangedAt > this.commitNumber) {
      throw new WriteConflictError();
    }
    const version = state.versions.latest;
    uassert(version !== undefined, 'NamespaceNotFound', 'Collection was dropped');
    return { state, version };
  }

  private add(write: PendingWrite): void {
    this.writerPlace ??= this.store.writers.add(this);
    const bytes = this.bytes + costOf(write);
    // One write alone is always allowed: a document may be larger than a small server's share.
    if (bytes > this.store.transactionBytes && this.writes.length > 0) {
      throw new CommandError(
        'TransactionTooLargeForCache',
        'Transaction is too large: its writes exceed a quarter of the memory for writes',
      );
    }
    this.requireShare(bytes);
    this.setBytes(bytes);
    this.writes.push(write);
    this.ownWriteCount += 1;
    if (write.kind === 'record' && write.multikey.length > 0) this.draftMultikey(write);
  }

  /**
   * All open transactions together have a bound, too. The largest one goes on, and so do small ones; who lies between starts again
   * when the largest has ended, as after any conflict.
   */
  private requireShare(bytes: number): void {
    const { store } = this;
    const together = store.openTransactionBytes + bytes - this.bytes;
    if (together <= store.transactionBytes * TRANSACTIONS_TOGETHER) return;
    if (bytes <= store.transactionBytes * SMALL_PART) return;
    let largest: PendingWriter | undefined;
    for (const writer of store.writers) {
      if (writer.pendingBytes > (largest?.pendingBytes ?? this.bytes)) largest = writer;
    }
    if (largest !== undefined) throw new WriteConflictError(largest.ended);
  }

  /** What it holds in memory, bytes: for the bound on all of them. */
  get pendingBytes(): number {
    return this.bytes;
  }

  private setBytes(bytes: number): void {
    this.store.openTransactionBytes += bytes - this.bytes;
    this.bytes = bytes;
  }

  /** Own reads must know at once that an index has become multikey. */
  private draftMultikey(write: RecordWrite): void {
    this.draft ??= new CatalogDraft(this.store, this, this.writes, (other) => this.add(other));
    this.draft.noteMultikey(write);
  }

  /** Other transactions have written, too, and are open. */
  private get hasRivals(): boolean {
    return this.store.writers.size > (this.writerPlace === undefined ? 0 : 1);
  }

  private overlayRecords(): void {
    this.overlay ??= newOverlay();
    for (; this.overlaidRecords < this.writes.length; this.overlaidRecords += 1) {
      const write = this.writes[this.overlaidRecords];
      if (write.kind === 'record') writeRecord(this.overlay, write, 0, NO_SNAPSHOTS);
    }
  }

  private overlayKeys(): void {
    this.overlay ??= newOverlay();
    for (; this.overlaidKeys < this.writes.length; this.overlaidKeys += 1) {
      const write = this.writes[this.overlaidKeys];
      if (write.kind !== 'catalog') writeKeys(this.overlay, write, 0, NO_SNAPSHOTS);
    }
  }

  private removeKeys(writer: IndexWriter, keys: readonly EncodedKey[], changes: KeyChange[]): void {
    for (const key of keys) {
      const stored = storedKeyOf(key);
      if (writer.refusesDuplicates && this.hasRivals) {
        checkPendingKeys(this.store, this, writer.index.ident, stored.key);
      }
      changes.push({ index: writer.index.ident, stored, present: false, replaces: false });
    }
  }

  /** @param self the record that may hold the key already */
  private checkUnique(
    version: CollectionVersion,
    writer: IndexWriter,
    key: EncodedKey,
    storedKey: Buffer,
    self: RecordId | undefined,
  ): void {
    const { store } = this;
    const index = writer.index.ident;
    if (this.hasRivals) checkPendingKeys(store, this, index, storedKey);
    const except: number[] = self === undefined ? [] : [self];
    if (this.writes.length > 0) {
      const own = this.ownOwner(index, storedKey, except);
      if (own !== undefined) throw duplicateKeyError(version.namespace, writer.index, key);
    }
    const owner = committedOwner(store, index, storedKey, except);
    if (this.commitNumber !== store.lastCommitNumber) {
      // Taken or freed since the snapshot: what this transaction knows of the key is out of date.
      if (owner !== this.visibleOwner(writer.index, key, except)) throw new WriteConflictError();
    }
    if (owner !== undefined) throw duplicateKeyError(version.namespace, writer.index, key);
  }

  /** The record that this transaction gave the key to; those it took it from are added to `except`. */
  private ownOwner(index: Ident, key: Buffer, except: number[]): number | undefined {
    const table = this.ownKeys?.keys.get(index);
    if (table === undefined) return undefined;
    const at: KeyPosition = { leaf: 0, position: 0 };
    table.find(key, -1, at);
    for (
      let row = table.order.rowAt(at);
      row !== NO_ROW && table.keyEquals(row, key);
      row = table.order.rowAt(at)
    ) {
      const recordId = table.recordId[row];
      if (!except.includes(recordId)) {
        if (table.isPresent(row)) return recordId;
        except.push(recordId);
      }
      table.order.forward(at);
    }
    return undefined;
  }

  private visibleOwner(
    index: IndexDescription,
    key: EncodedKey,
    except: readonly number[],
  ): number | undefined {
    const cursor = this.scanIndex(index, { lower: key.key, upper: key.key }, 1);
    while (cursor.next()) {
      if (!except.includes(cursor.recordId)) return cursor.recordId;
    }
    return undefined;
  }

  /** A collection changed under this transaction: its keys would be those of another set of indexes. */
  private checkCatalog(): void {
    if (this.store.lastCommitNumber === this.commitNumber) return;
    for (const write of this.writes) {
      const { state } = write;
      if (state.schemaChangedAt > this.commitNumber) throw new WriteConflictError();
      // A new index knows this transaction's records only.
      if (state.sizes.latestCommitNumber > this.commitNumber && addsIndex(write)) {
        throw new WriteConflictError();
      }
    }
    this.draft?.checkNamespaces();
  }
}

/** A key that one statement gave and another took away stays reserved: a savepoint may bring it back. */
function newOverlay(): Generation {
  return new Generation({ keepsRemoved: true });
}

function journalOf(writes: readonly PendingWrite[]): JournalOperation[] {
  const operations: JournalOperation[] = [];
  for (const { journal } of writes) if (journal !== undefined) operations.push(journal);
  return operations;
}

function addsIndex(write: PendingWrite): boolean {
  if (write.kind !== 'catalog') return false;
  const { state, version } = write;
  const known = new Set(state.versions.latest?.indexes.map(({ ident }) => ident));
  return version?.indexes.some(({ ident }) => !known.has(ident)) ?? false;
}

function costOf(write: PendingWrite): number {
  if (write.kind === 'catalog') return 4 * RECORD_OVERHEAD_BYTES;
  let bytes = RECORD_OVERHEAD_BYTES;
  if (write.kind === 'record') bytes += write.document?.length ?? 0;
  for (const { stored } of write.keys) bytes += KEY_OVERHEAD_BYTES + stored.key.length;
  return bytes;
}

function noteMultikey(
  writer: IndexWriter,
  paths: MultikeyPaths | undefined,
  changes: MultikeyChange[],
): void {
  if (paths === undefined) return;
  if (includesMultikeyPaths(writer.index.multikeyPaths, paths)) return;
  changes.push({ index: writer.index.ident, paths });
}

function withOrigin(
  operation: JournalOperation,
  origin: OperationOrigin | undefined,
): JournalOperation {
  return origin === undefined ? operation : { ...operation, ...origin };
}

const ID_NAME_BYTES = 4;

/** `{_id: ...}` of a document. */
function idDocument(document: Buffer): Buffer {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'A stored document has no _id');
  const elementStart = id.start - ID_NAME_BYTES - 1;
  const bytes = Buffer.allocUnsafe(4 + (id.end - elementStart) + 1);
  bytes.writeInt32LE(bytes.length, 0);
  id.bytes.copy(bytes, 4, elementStart, id.end);
  bytes[bytes.length - 1] = 0;
  return bytes;
}
