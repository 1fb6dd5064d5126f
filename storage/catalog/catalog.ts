/**
 * The catalog in memory: which collections and views there are, at every commit number that a snapshot may read at.
 *
 * Owns: the histories of namespaces and collections. Written by commits only, in their synchronous step.
 * Invariants:
 *  1. A namespace names at most one collection at each commit number.
 *  2. Collections and indexes are known by ident and UUID below this table, never by name; idents are used once.
 */
import { invariant } from '../../common/assert.ts';
import type { CollectionUuid, Ident } from '../contract.ts';
import { History } from '../delta/history.ts';
import type { OpenSnapshots } from '../delta/open-snapshots.ts';
import { FIRST_TREE_IDENT } from '../format/tree-key.ts';
import type { CollectionState } from './collection-state.ts';
import { CollectionVersion } from './collection-version.ts';

/** Who has a namespace, at each commit number. */
type NamespaceHistory = History<CollectionState | undefined>;

export class Catalog {
  /** By database, then by whole namespace: what concerns one database, or all names of databases, looks at no other collection. */
  private readonly databaseTables = new Map<string, Map<string, NamespaceHistory>>();
  private readonly byUuid = new Map<CollectionUuid, CollectionState>();
  private readonly byIdent = new Map<Ident, CollectionState>();
  private nextIdent: number = FIRST_TREE_IDENT;

  takeIdent(): Ident {
    const ident = this.nextIdent;
    this.nextIdent = ident + 1;
    return ident as Ident;
  }

  /** Notes that an ident is in use: replay and the base meet idents of earlier runs. */
  noteIdent(ident: number): void {
    if (ident >= this.nextIdent) this.nextIdent = ident + 1;
  }

  /** The ident that would be given out next: kept with every checkpoint. */
  get identHighWater(): number {
    return this.nextIdent;
  }

  collection(namespace: string, commitNumber: number): CollectionVersion | undefined {
    return this.historyOf(namespace)?.at(commitNumber)?.versions.at(commitNumber);
  }

  /** Commit at which a namespace was last taken or freed. */
  namespaceChangedAt(namespace: string): number {
    return this.historyOf(namespace)?.latestCommitNumber ?? 0;
  }

  stateByUuid(uuid: CollectionUuid): CollectionState | undefined {
    return this.byUuid.get(uuid);
  }

  stateByIdent(ident: Ident): CollectionState | undefined {
    return this.byIdent.get(ident);
  }

  /** All states, dropped ones included as long as somebody may see them. */
  states(): Iterable<CollectionState> {
    return this.byUuid.values();
  }

  /** All collections at a commit number, or those of one database, in order of namespace. */
  collections(commitNumber: number, database?: string): CollectionVersion[] {
    const found: CollectionVersion[] = [];
    const tables =
      database === undefined
        ? this.databaseTables.values()
        : [this.databaseTables.get(database) ?? new Map<string, NamespaceHistory>()];
    for (const table of tables) {
      for (const history of table.values()) {
        const version = versionIn(history, commitNumber);
        if (version !== undefined) found.push(version);
      }
    }
    return found.sort(byNamespace);
  }

  /** Names of the databases that have a collection at a commit number, in order. */
  databases(commitNumber: number): string[] {
    const found: string[] = [];
    for (const [database, table] of this.databaseTables) {
      for (const history of table.values()) {
        if (versionIn(history, commitNumber) === undefined) continue;
        found.push(database);
        break;
      }
    }
    return found.sort();
  }

  /** Writes a collection's new version, or its end: what a commit publishes. */
  write(
    state: CollectionState,
    version: CollectionVersion | undefined,
    commitNumber: number,
    snapshots: OpenSnapshots,
  ): void {
    const before = state.versions.latest;
    this.byUuid.set(state.uuid, state);
    this.byIdent.set(state.ident, state);
    if (before !== undefined && before.namespace !== version?.namespace) {
      this.writeNamespace(before.namespace, undefined, commitNumber, snapshots);
    }
    if (version !== undefined && before?.namespace !== version.namespace) {
      this.writeNamespace(version.namespace, state, commitNumber, snapshots);
    }
    if (schemaDiffers(before, version)) state.schemaChangedAt = commitNumber;
    state.versions.write(commitNumber, version, snapshots);
  }

  /** Forgets what was dropped and nobody can see any more. */
  forgetDropped(snapshots: OpenSnapshots): void {
    for (const [uuid, state] of this.byUuid) {
      if (!isGone(state.versions, snapshots)) continue;
      this.byUuid.delete(uuid);
      this.byIdent.delete(state.ident);
    }
    for (const [database, table] of this.databaseTables) {
      for (const [namespace, history] of table) {
        if (isGone(history, snapshots)) table.delete(namespace);
      }
      if (table.size === 0) this.databaseTables.delete(database);
    }
  }

  private historyOf(namespace: string): NamespaceHistory | undefined {
    return this.databaseTables.get(databaseOf(namespace))?.get(namespace);
  }

  private writeNamespace(
    namespace: string,
    state: CollectionState | undefined,
    commitNumber: number,
    snapshots: OpenSnapshots,
  ): void {
    const database = databaseOf(namespace);
    let table = this.databaseTables.get(database);
    if (table === undefined) {
      table = new Map();
      this.databaseTables.set(database, table);
    }
    let history = table.get(namespace);
    if (history === undefined) {
      history = new History();
      table.set(namespace, history);
    }
    invariant(
      state === undefined || history.latest === undefined,
      'catalog: namespace taken twice',
    );
    history.write(commitNumber, state, snapshots);
  }
}

/** "database.collection": names of databases have no dot. */
function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}

function versionIn(history: NamespaceHistory, commitNumber: number): CollectionVersion | undefined {
  return history.at(commitNumber)?.versions.at(commitNumber);
}

function byNamespace(a: CollectionVersion, b: CollectionVersion): number {
  return a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0;
}

function isGone(history: History<unknown>, snapshots: OpenSnapshots): boolean {
  return history.latest === undefined && !snapshots.anySees(0, history.latestCommitNumber);
}

/**
 * Whether a transaction that began before would write other keys, or to another place. An index that became ready counts,
 * too: what was written before may hold a duplicate that nobody met while its entries were not all there.
 */
function schemaDiffers(
  before: CollectionVersion | undefined,
  after: CollectionVersion | undefined,
): boolean {
  if (before === undefined || after === undefined) return true;
  if (before.namespace !== after.namespace || before.options !== after.options) return true;
  if (before.indexes.length !== after.indexes.length) return true;
  return before.indexes.some((index, position) => {
    const { ident, spec, ready } = after.indexes[position];
    return index.ident !== ident || index.spec !== spec || index.ready !== ready;
  });
}
