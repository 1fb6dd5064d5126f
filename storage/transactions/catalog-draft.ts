/**
 * The catalog as one transaction has changed it: collections and indexes created, renamed, dropped, and not yet committed.
 *
 * Owns: the drafted versions, which shadow the catalog's for this transaction alone. The writes themselves stand in the
 * transaction's list, so that a savepoint undoes both.
 */
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import { CollectionState } from '../catalog/collection-state.ts';
import { CollectionVersion } from '../catalog/collection-version.ts';
import { describeIndex, ID_INDEX_SPEC } from '../catalog/index-spec.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type CollectionUuid,
  type CommitNumber,
  type CreateCollectionOptions,
  type Ident,
  type IndexDescription,
} from '../contract.ts';
import type { PendingWriter, StoreState } from '../views/store-state.ts';
import { encodeCatalogCommand, newIndexes, type CatalogCommand } from './catalog-entries.ts';
import type { CatalogWrite, PendingWrite, RecordWrite } from './pending-write.ts';
import { withMultikey } from './publish.ts';

const UUID_BYTES = 16;

export class CatalogDraft {
  private readonly store: StoreState;
  private readonly owner: PendingWriter & { readonly commitNumber: CommitNumber };
  private readonly writes: readonly PendingWrite[];
  private readonly add: (write: CatalogWrite) => void;
  /** undefined in the map: dropped. */
  private readonly versions = new Map<CollectionState, CollectionVersion | undefined>();
  /** null: free, although the catalog has it. */
  private readonly namespaces = new Map<string, CollectionState | null>();

  /** @param writes the transaction's list @param add appends to it, and may refuse */
  constructor(
    store: StoreState,
    owner: PendingWriter & { readonly commitNumber: CommitNumber },
    writes: readonly PendingWrite[],
    add: (write: CatalogWrite) => void,
  ) {
    this.store = store;
    this.owner = owner;
    this.writes = writes;
    this.add = add;
  }

  /** undefined: this transaction did not touch the namespace; null: it freed it. */
  byNamespace(namespace: string): CollectionVersion | null | undefined {
    const state = this.namespaces.get(namespace);
    if (state === undefined || state === null) return state;
    return this.versions.get(state) ?? null;
  }

  stateByUuid(uuid: CollectionUuid): CollectionState | undefined {
    for (const state of this.versions.keys()) if (state.uuid === uuid) return state;
    return undefined;
  }

  stateByIdent(ident: Ident): CollectionState | undefined {
    for (const state of this.versions.keys()) if (state.ident === ident) return state;
    return undefined;
  }

  versionOf(state: CollectionState): CollectionVersion | undefined {
    return this.versions.get(state);
  }

  touches(namespace: string): boolean {
    return this.namespaces.has(namespace);
  }

  mergeInto(
    committed: readonly CollectionDescription[],
    database: string | undefined,
  ): CollectionDescription[] {
    const merged = committed.filter(({ namespace }) => !this.namespaces.has(namespace));
    for (const namespace of this.namespaces.keys()) {
      const version = this.byNamespace(namespace);
      if (version === null || version === undefined) continue;
      if (database === undefined || namespace.startsWith(`${database}.`)) merged.push(version);
    }
    return merged.sort((a, b) =>
      a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0,
    );
  }

  create(namespace: string, options: CreateCollectionOptions): CollectionVersion {
    this.requireFree(namespace);
    const { catalog } = this.store;
    const kind = options.kind ?? 'collection';
    const uuid = options.uuid ?? this.newUuid();
    tassert(catalog.stateByUuid(uuid) === undefined, 'A collection with this UUID exists');
    const state = new CollectionState(catalog.takeIdent(), uuid, 1);
    const idIndex = options.idIndex ?? ID_INDEX_SPEC;
    const indexes =
      kind === 'collection'
        ? [describeIndex(idIndex, { ident: catalog.takeIdent(), ready: true })]
        : [];
    const collection: CollectionDescription = {
      ident: state.ident,
      uuid,
      namespace,
      kind,
      options: Buffer.from(options.options ?? EMPTY_DOCUMENT),
      compression: options.compression ?? this.store.compression,
      indexes,
    };
    const version = new CollectionVersion(collection, this.store.keyGenerators);
    return this.write(state, version, [namespace], {
      name: 'create',
      namespace,
      kind,
      options: collection.options,
      compression: collection.compression,
      ident: state.ident,
      indexes: newIndexes(indexes),
    });
  }

  drop(collection: CollectionDescription): void {
    const { state, version } = this.changeable(collection);
    this.append(state, undefined, [version.namespace], version.namespace, { name: 'drop' });
  }

  rename(collection: CollectionDescription, namespace: string): CollectionVersion {
    const { state, version } = this.changeable(collection);
    this.requireFree(namespace);
    return this.write(
      state,
      version.with({ namespace }, this.store.keyGenerators),
      [version.namespace, namespace],
      { name: 'renameCollection', to: namespace },
      version,
    );
  }

  createIndex(collection: CollectionDescription, spec: Buffer): IndexDescription {
    const { state, version } = this.changeable(collection);
    const ident = this.store.catalog.takeIdent();
    const index = describeIndex(Buffer.from(spec), { ident, ready: true });
    const indexes = [...version.indexes, index];
    this.write(
      state,
      version.with({ indexes }, this.store.keyGenerators),
      [],
      { name: 'createIndexes', indexes: newIndexes([index]) },
      version,
    );
    return index;
  }

  dropIndex(collection: CollectionDescription, index: IndexDescription): void {
    const { state, version } = this.changeable(collection);
    const indexes = version.indexes.filter(({ ident }) => ident !== index.ident);
    uassert(indexes.length < version.indexes.length, 'IndexNotFound', 'Index was dropped already');
    this.write(
      state,
      version.with({ indexes }, this.store.keyGenerators),
      [],
      { name: 'dropIndexes', ident: index.ident },
      version,
    );
  }

  /** @param indexSpecs new specifications by index name, for collMod of an index */
  modify(
    collection: CollectionDescription,
    options: Buffer,
    indexSpecs: ReadonlyMap<string, Buffer> = new Map(),
  ): CollectionVersion {
    const { state, version } = this.changeable(collection);
    const indexes = version.indexes.map((index) => {
      const spec = indexSpecs.get(index.name);
      return spec === undefined ? index : describeIndex(Buffer.from(spec), index);
    });
    return this.write(
      state,
      version.with({ options: Buffer.from(options), indexes }, this.store.keyGenerators),
      [],
      { name: 'collMod', options, indexes: newIndexes(indexes) },
      version,
    );
  }

  /** Shows an array on an indexed path to the transaction's own reads; the commit finds it again by itself. */
  noteMultikey(write: RecordWrite): void {
    const version = this.versions.get(write.state) ?? write.state.versions.latest;
    if (version === undefined) return;
    this.shadow(write.state, withMultikey(this.store, version, write.multikey), [
      version.namespace,
    ]);
  }

  /** After a rollback to a savepoint: what is left of the writes decides. */
  rebuild(): void {
    this.versions.clear();
    this.namespaces.clear();
    for (const write of this.writes) {
      if (write.kind === 'catalog') this.shadow(write.state, write.version, write.namespaces);
      else if (write.kind === 'record' && write.multikey.length > 0) this.noteMultikey(write);
    }
  }

  /** @throws WriteConflictError when somebody took or freed a namespace since the snapshot. */
  checkNamespaces(): void {
    for (const write of this.writes) {
      if (write.kind !== 'catalog') continue;
      for (const namespace of write.namespaces) this.checkUnchanged(namespace);
    }
  }

  private write(
    state: CollectionState,
    version: CollectionVersion,
    namespaces: readonly string[],
    command: CatalogCommand,
    previous?: CollectionVersion,
  ): CollectionVersion {
    const namespace = previous?.namespace ?? version.namespace;
    this.append(state, version, namespaces, namespace, command);
    return version;
  }

  private append(
    state: CollectionState,
    version: CollectionVersion | undefined,
    namespaces: readonly string[],
    namespace: string,
    command: CatalogCommand,
  ): void {
    this.add({
      kind: 'catalog',
      state,
      version,
      namespaces,
      journal: { op: 'c', ui: state.uuidBytes, o: encodeCatalogCommand(namespace, command) },
    });
    this.shadow(state, version, namespaces);
  }

  private shadow(
    state: CollectionState,
    version: CollectionVersion | undefined,
    namespaces: readonly string[],
  ): void {
    this.versions.set(state, version);
    for (const namespace of namespaces) this.namespaces.set(namespace, null);
    if (version !== undefined) this.namespaces.set(version.namespace, state);
  }

  private changeable(collection: CollectionDescription): {
    state: CollectionState;
    version: CollectionVersion;
  } {
    const state =
      this.stateByIdent(collection.ident) ?? this.store.catalog.stateByIdent(collection.ident);
    if (state === undefined || state.schemaChangedAt > this.owner.commitNumber) {
      throw new WriteConflictError();
    }
    const version = this.versions.has(state) ? this.versions.get(state) : state.versions.latest;
    uassert(
      version !== undefined,
      'NamespaceNotFound',
      `ns does not exist: ${collection.namespace}`,
    );
    this.checkPending(version.namespace);
    return { state, version };
  }

  private requireFree(namespace: string): void {
    this.checkPending(namespace);
    this.checkUnchanged(namespace);
    const drafted = this.byNamespace(namespace);
    const taken =
      drafted === undefined
        ? this.store.catalog.collection(namespace, this.owner.commitNumber) !== undefined
        : drafted !== null;
    uassert(!taken, 'NamespaceExists', `Collection ${namespace} already exists.`);
  }

  private checkUnchanged(namespace: string): void {
    if (this.store.catalog.namespaceChangedAt(namespace) > this.owner.commitNumber) {
      throw new WriteConflictError();
    }
  }

  private checkPending(namespace: string): void {
    for (const other of this.store.writers) {
      if (other !== this.owner && other.hasWrittenNamespace(namespace)) {
        throw new WriteConflictError(other.ended);
      }
    }
  }

  private newUuid(): CollectionUuid {
    const bytes = this.store.random.bytes(UUID_BYTES);
    // RFC 9562: version 4, variant 10.
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return bytes.toString('hex') as CollectionUuid;
  }
}
