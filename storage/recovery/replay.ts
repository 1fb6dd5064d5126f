/**
 * Replays journal groups over the base: the same publication as a commit's, with the keys computed again.
 *
 * Idempotent by commit number: the base holds everything up to its own and nothing after, and the journal hands over only
 * what comes after. A record whose page is damaged does not stop the start: its old index keys stay unknown, which is
 * logged, and `validate` shows it.
 */
import { isMultikey, uniteMultikeyPaths } from '../../bson/index.ts';
import type { Log } from '../../common/log.ts';
import { CorruptionError } from '../../common/errors.ts';
import { CollectionState } from '../catalog/collection-state.ts';
import { CollectionVersion } from '../catalog/collection-version.ts';
import { storedKeyOf } from '../catalog/index-keys.ts';
import { describeIndex } from '../catalog/index-spec.ts';
import type {
  CollectionUuid,
  CommitNumber,
  IndexDescription,
  MaybePromise,
  RecordId,
} from '../contract.ts';
import { NO_ROW } from '../delta/version-rows.ts';
import type { JournalEntry } from '../format/journal-entry.ts';
import type { RecordPlace } from '../format/record-map.ts';
import type { JournalGroup, Salvage } from '../journal/contract.ts';
import {
  decodeCatalogCommand,
  type CatalogCommand,
  type NewIndex,
} from '../transactions/catalog-entries.ts';
import { diffKeys } from '../transactions/key-diff.ts';
import type { KeyChange, MultikeyChange, PendingWrite } from '../transactions/pending-write.ts';
import { publish } from '../transactions/publish.ts';
import { nextReadable } from '../views/damaged-record.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { StoreState } from '../views/store-state.ts';

/** Index entries of one collection that are computed and published at once when replay builds an index again. */
const BUILD_BATCH = 1000;

export class Replay {
  groups = 0;
  entries = 0;
  damagedRecords = 0;
  private readonly store: StoreState;
  private readonly log: Log;
  private readonly salvage: Salvage | undefined;
  /** The collection of the last entry; forgotten when the catalog changes. */
  private lastUi: Buffer | undefined;
  private lastState: CollectionState | undefined;

  /** @param salvage for repair: hears of entries that cannot be applied, which are passed over then */
  constructor(store: StoreState, log: Log, salvage?: Salvage) {
    this.store = store;
    this.log = log;
    this.salvage = salvage;
  }

  /** Synchronous unless a page must be read: most of a journal is inserts, and changes of what is in memory. */
  apply(group: JournalGroup): MaybePromise<void> {
    this.groups += 1;
    return this.applyFrom(group, 0);
  }

  /** Begins to read the pages of the documents that these groups change, in order of address. Best effort. */
  fetchAhead(groups: readonly JournalGroup[]): void {
    const places = new Map<number, RecordPlace>();
    for (const { entries } of groups) {
      for (const entry of entries) {
        const place = this.placeBefore(entry);
        if (place !== undefined) places.set(place.sector, place);
      }
    }
    if (places.size === 0) return;
    this.store.epoch.base.prefetch([...places.values()].sort((a, b) => a.sector - b.sector));
  }

  /** Where the document lies that an entry changes, when it has to be read. */
  private placeBefore({ op, rid, ui }: JournalEntry): RecordPlace | undefined {
    if ((op !== 'u' && op !== 'd') || rid === undefined || ui === undefined) return undefined;
    const { epoch } = this.store;
    const state = this.stateByUuid(ui);
    if (state === undefined) return undefined;
    for (const { records } of epoch.generations) {
      if ((records.get(state.ident)?.newestRow(rid) ?? NO_ROW) !== NO_ROW) return undefined;
    }
    try {
      return epoch.base.place(state.ident, rid);
    } catch {
      // Whoever reads the document hears of it.
      return undefined;
    }
  }

  private applyFrom(group: JournalGroup, first: number): MaybePromise<void> {
    for (let index = first; index < group.entries.length; index += 1) {
      this.entries += 1;
      const applied = this.applyEntry(group.entries[index], group.commitNumber);
      if (applied !== undefined) return applied.then(() => this.applyFrom(group, index + 1));
    }
    this.store.lastCommitNumber = group.commitNumber;
    return undefined;
  }

  private applyEntry(entry: JournalEntry, commitNumber: CommitNumber): MaybePromise<void> {
    if (this.salvage === undefined) return this.applyWhole(entry, commitNumber);
    return this.salvageEntry(entry, commitNumber, this.salvage);
  }

  private async salvageEntry(
    entry: JournalEntry,
    commitNumber: CommitNumber,
    salvage: Salvage,
  ): Promise<void> {
    try {
      await this.applyWhole(entry, commitNumber);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      salvage(error);
    }
  }

  private applyWhole(entry: JournalEntry, commitNumber: CommitNumber): MaybePromise<void> {
    switch (entry.op) {
      case 'i':
      case 'u':
      case 'd':
        return this.applyRecord(entry, commitNumber);
      case 'c':
        return this.applyCommand(entry, commitNumber);
      case 'n':
        return undefined;
    }
  }

  private applyRecord(entry: JournalEntry, commitNumber: CommitNumber): MaybePromise<void> {
    const state = this.stateOf(entry);
    const recordId = entry.rid;
    const version = state.versions.latest;
    if (recordId === undefined || version === undefined) throw malformed('names no record');
    state.noteRecordId(recordId);
    const target = { state, version, recordId };
    if (entry.op === 'i') return this.writeRecord(entry, commitNumber, target, undefined);
    const before = this.documentBefore(state, recordId);
    return Buffer.isBuffer(before)
      ? this.writeRecord(entry, commitNumber, target, before)
      : before.then((document) => this.writeChange(entry, commitNumber, target, document));
  }

  /** A record that a repair could not bring back comes back with an update, which has all of it; its old keys went with it. */
  private writeChange(
    entry: JournalEntry,
    commitNumber: CommitNumber,
    target: { state: CollectionState; version: CollectionVersion; recordId: RecordId },
    before: Buffer | undefined,
  ): undefined {
    if (before !== undefined || entry.op === 'u') {
      return this.writeRecord(entry, commitNumber, target, before);
    }
    if (this.salvage === undefined)
      throw malformed(`deletes record ${target.recordId}, which is not there`);
    return undefined;
  }

  /** @param before what the record held; DAMAGED when that cannot be read */
  private writeRecord(
    entry: JournalEntry,
    commitNumber: CommitNumber,
    target: { state: CollectionState; version: CollectionVersion; recordId: RecordId },
    before: Buffer | undefined,
  ): undefined {
    const { state, version, recordId } = target;
    const after = entry.op === 'd' ? undefined : entry.o;
    const keys: KeyChange[] = [];
    const multikey: MultikeyChange[] = [];
    const known = before === DAMAGED ? undefined : before;
    for (const { index, generator } of version.writers) {
      const isChange = known !== undefined && after !== undefined;
      if (isChange && generator.hasSameFields?.(known, after) === true) continue;
      const generated = after === undefined ? undefined : generator.keysOf(after);
      const { removed, added, replaced } = diffKeys(
        known === undefined ? [] : generator.keysOf(known).keys,
        generated?.keys ?? [],
      );
      for (const key of removed) {
        keys.push({
          index: index.ident,
          stored: storedKeyOf(key),
          present: false,
          replaces: false,
        });
      }
      for (const key of added) {
        // Of a damaged record nobody knows which keys it has.
        const replaces = before === DAMAGED;
        keys.push({ index: index.ident, stored: storedKeyOf(key), present: true, replaces });
      }
      for (const key of replaced) {
        keys.push({ index: index.ident, stored: storedKeyOf(key), present: true, replaces: true });
      }
      if (generated?.multikeyPaths !== undefined) {
        multikey.push({ index: index.ident, paths: generated.multikeyPaths });
      }
    }
    this.publish(
      {
        kind: 'record',
        state,
        recordId,
        document: after,
        bytesBefore: before?.length,
        keys,
        multikey,
        journal: undefined,
      },
      commitNumber,
    );
  }

  /** DAMAGED when its page is; its length is unknown then, too. */
  private documentBefore(
    state: CollectionState,
    recordId: RecordId,
  ): Buffer | Promise<Buffer | undefined> {
    for (const { records, rows } of this.store.epoch.generations) {
      const row = records.get(state.ident)?.newestRow(recordId) ?? NO_ROW;
      // Read in this step, and never again: the slab is not lent, and serves again when it is empty.
      const document = row === NO_ROW ? undefined : rows.documentToFold(row);
      if (document !== undefined) return document;
    }
    return this.documentInBase(state, recordId);
  }

  private async documentInBase(
    state: CollectionState,
    recordId: RecordId,
  ): Promise<Buffer | undefined> {
    try {
      const document = await this.store.epoch.base.record(state.ident, recordId);
      if (document !== undefined || this.salvage !== undefined) return document;
      throw malformed(`changes record ${recordId}, which is not there`);
    } catch (error) {
      if (!(error instanceof CorruptionError) || error.part === PART) throw error;
      this.noteDamaged(state.versions.latest?.namespace, recordId, error);
      return DAMAGED;
    }
  }

  private noteDamaged(
    namespace: string | undefined,
    recordId: RecordId,
    error: CorruptionError,
  ): void {
    this.damagedRecords += 1;
    this.log.write({
      severity: 'E',
      component: 'RECOVERY',
      id: 5100101,
      message: 'Replay met a damaged record; its index entries may be stale, run validate',
      attributes: { namespace, recordId, error: error.message },
    });
  }

  private async applyCommand(entry: JournalEntry, commitNumber: CommitNumber): Promise<void> {
    this.lastUi = undefined;
    const command = decodeCatalogCommand(entry.o);
    if (command.name === 'create') {
      this.create(entry, command, commitNumber);
      return;
    }
    const state = this.stateOf(entry);
    const version = state.versions.latest;
    if (version === undefined) throw malformed('changes a dropped collection');
    switch (command.name) {
      case 'drop':
        this.publishVersion(state, undefined, commitNumber);
        break;
      case 'renameCollection':
        this.change(state, version, { namespace: command.to }, commitNumber);
        break;
      case 'createIndexes':
        await this.createIndexes(state, version, command.indexes, commitNumber);
        break;
      case 'startIndexBuild':
        this.startIndexBuild(state, version, command.indexes, commitNumber);
        break;
      case 'commitIndexBuild':
        await this.commitIndexBuild(state, version, command.indexes, commitNumber);
        break;
      case 'abortIndexBuild':
        this.changeIndexes(state, version, commitNumber, (index) =>
          includes(command.indexes, index) ? undefined : index,
        );
        break;
      case 'dropIndexes':
        this.changeIndexes(state, version, commitNumber, (index) =>
          index.ident === command.ident ? undefined : index,
        );
        break;
      case 'collMod':
        this.modify(state, version, command.options, command.indexes, commitNumber);
    }
  }

  private create(
    entry: JournalEntry,
    command: Extract<CatalogCommand, { name: 'create' }>,
    commitNumber: CommitNumber,
  ): void {
    const { catalog, keyGenerators } = this.store;
    const uuid = uuidOf(entry);
    catalog.noteIdent(command.ident);
    for (const { ident } of command.indexes) catalog.noteIdent(ident);
    const state = new CollectionState(command.ident, uuid, 1);
    const version = new CollectionVersion(
      {
        ident: command.ident,
        uuid,
        namespace: command.namespace,
        kind: command.kind,
        options: command.options,
        compression: command.compression,
        indexes: command.indexes.map(({ ident, spec }) =>
          describeIndex(spec, { ident, ready: true }),
        ),
      },
      keyGenerators,
    );
    this.publishVersion(state, version, commitNumber);
  }

  /** A repair may go on from a base before this one's scan: the index is made in one step then, when its build ends. */
  private startIndexBuild(
    state: CollectionState,
    version: CollectionVersion,
    indexes: readonly NewIndex[],
    commitNumber: CommitNumber,
  ): void {
    if (this.salvage === undefined) {
      this.addIndexes(state, version, indexes, false, commitNumber);
      return;
    }
    for (const { ident } of indexes) this.store.catalog.noteIdent(ident);
  }

  private async commitIndexBuild(
    state: CollectionState,
    version: CollectionVersion,
    indexes: readonly NewIndex[],
    commitNumber: CommitNumber,
  ): Promise<void> {
    if (version.indexes.some((index) => includes(indexes, index))) {
      this.changeIndexes(state, version, commitNumber, (index) => finished(indexes, index));
    } else await this.createIndexes(state, version, indexes, commitNumber);
  }

  /**
   * An index that was made in one step with its entries, over whatever the collection held then. Records that are damaged get no
   * entries.
   */
  private async createIndexes(
    state: CollectionState,
    version: CollectionVersion,
    indexes: readonly NewIndex[],
    commitNumber: CommitNumber,
  ): Promise<void> {
    const widened = this.addIndexes(state, version, indexes, true, commitNumber);
    const writers = widened.writers.filter(({ index }) => includes(indexes, index));
    const view = new SnapshotView(this.store);
    try {
      const cursor = view.scanRecords(widened);
      let writes: PendingWrite[] = [];
      const noteDamage = (error: CorruptionError, recordId: RecordId): void => {
        this.noteDamaged(widened.namespace, recordId, error);
      };
      while (await nextReadable(cursor, noteDamage)) {
        const keys: KeyChange[] = [];
        const multikey: MultikeyChange[] = [];
        const { document } = cursor;
        for (const { index, generator } of writers) {
          const generated = generator.keysOf(document);
          for (const key of generated.keys) {
            keys.push({
              index: index.ident,
              stored: storedKeyOf(key),
              present: true,
              replaces: false,
            });
          }
          if (generated.multikeyPaths !== undefined) {
            multikey.push({ index: index.ident, paths: generated.multikeyPaths });
          }
        }
        writes.push({
          kind: 'keys',
          state,
          recordId: cursor.recordId,
          keys,
          multikey,
          journal: undefined,
        });
        if (writes.length < BUILD_BATCH) continue;
        publish(this.store, writes, commitNumber);
        writes = [];
      }
      publish(this.store, writes, commitNumber);
    } finally {
      view.close();
    }
  }

  private addIndexes(
    state: CollectionState,
    version: CollectionVersion,
    indexes: readonly NewIndex[],
    ready: boolean,
    commitNumber: CommitNumber,
  ): CollectionVersion {
    for (const { ident } of indexes) this.store.catalog.noteIdent(ident);
    const added = indexes.map(({ ident, spec }) => describeIndex(spec, { ident, ready }));
    return this.change(state, version, { indexes: [...version.indexes, ...added] }, commitNumber);
  }

  private changeIndexes(
    state: CollectionState,
    version: CollectionVersion,
    commitNumber: CommitNumber,
    changed: (index: IndexDescription) => IndexDescription | undefined,
  ): void {
    const indexes = version.indexes.flatMap((index) => changed(index) ?? []);
    this.change(state, version, { indexes }, commitNumber);
  }

  private modify(
    state: CollectionState,
    version: CollectionVersion,
    options: Buffer,
    specs: readonly NewIndex[],
    commitNumber: CommitNumber,
  ): void {
    const indexes = version.indexes.map((index) => {
      const changed = specs.find(({ ident }) => ident === index.ident);
      return changed === undefined || changed.spec.equals(index.spec)
        ? index
        : describeIndex(changed.spec, index);
    });
    this.change(state, version, { options, indexes }, commitNumber);
  }

  private change(
    state: CollectionState,
    version: CollectionVersion,
    changes: Partial<Pick<CollectionVersion, 'namespace' | 'options' | 'indexes'>>,
    commitNumber: CommitNumber,
  ): CollectionVersion {
    const changed = version.with(changes, this.store.keyGenerators);
    this.publishVersion(state, changed, commitNumber);
    return changed;
  }

  private publishVersion(
    state: CollectionState,
    version: CollectionVersion | undefined,
    commitNumber: CommitNumber,
  ): void {
    this.publish(
      { kind: 'catalog', state, version, namespaces: [], journal: undefined },
      commitNumber,
    );
  }

  private publish(write: PendingWrite, commitNumber: CommitNumber): void {
    publish(this.store, [write], commitNumber);
  }

  private stateOf(entry: JournalEntry): CollectionState {
    if (entry.ui === undefined) throw malformed('has no collection');
    const state = this.stateByUuid(entry.ui);
    if (state === undefined) throw malformed('names a collection that is not there');
    return state;
  }

  /** Neighbouring entries mostly name one collection, and share the bytes that say which. */
  private stateByUuid(ui: Buffer): CollectionState | undefined {
    if (ui === this.lastUi) return this.lastState;
    const state = this.store.catalog.stateByUuid(ui.toString('hex') as CollectionUuid);
    this.lastUi = state === undefined ? undefined : ui;
    this.lastState = state;
    return state;
  }
}

/** Stands for a document that cannot be read. */
const DAMAGED = Buffer.alloc(0);
const PART = 'journal entry';

function uuidOf(entry: JournalEntry): CollectionUuid {
  if (entry.ui === undefined) throw malformed('has no collection');
  return entry.ui.toString('hex') as CollectionUuid;
}

/** A built index becomes ready, and knows the arrays that the build saw. */
function finished(indexes: readonly NewIndex[], index: IndexDescription): IndexDescription {
  const built = indexes.find(({ ident }) => ident === index.ident);
  if (built === undefined) return index;
  const multikeyPaths = uniteMultikeyPaths(index.multikeyPaths, built.multikeyPaths ?? []);
  return { ...index, ready: true, multikey: isMultikey(multikeyPaths), multikeyPaths };
}

function includes(indexes: readonly NewIndex[], index: IndexDescription): boolean {
  return indexes.some(({ ident }) => ident === index.ident);
}

function malformed(message: string): CorruptionError {
  return new CorruptionError('malformed', PART, message);
}
