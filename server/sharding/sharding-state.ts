/**
 * What a shard knows of its cluster: who it is, and for each namespace by which version routers may come.
 *
 * Owns: the knowledge, which is read from the config server when it is missing or a router knows more, and forgotten at a restart.
 * Promises: a command that carries a version runs only under knowledge that agrees with it, from its beginning to its end; whoever is
 * wrong hears StaleConfig or StaleDbVersion. A command without versions comes from no router and is not checked, as in MongoDB; what
 * it writes waits for critical sections all the same.
 * Source: MongoDB's README_versioning_protocols.
 */
import { documentOf } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { WriteConflictError, type MaybePromise } from '../../storage/index.ts';
import { databaseFromDocument } from './catalog-entries.ts';
import { CollectionState, KnownCollection } from './collection-state.ts';
import { DatabaseState } from './database-state.ts';
import type { MigrationChanges } from './migration-changes.ts';
import { MigrationStatistics } from './migration-statistics.ts';
import type { Peers } from './peers.ts';
import { readRouting, uuidValue, type CollectionRouting, type ReadMetadata } from './routing.ts';
import type { RoutedOperation } from './routed-by.ts';
import type { ShardIdentity } from './shard-identity.ts';
import type { ShardKeyPattern } from './shard-key-pattern.ts';
import { ShardVersion } from './shard-version.ts';
import { staleConfigError, staleDbVersionError } from './stale-errors.ts';
import { UserWrites } from './user-writes.ts';

/** The collections of this server, as they are called now. */
export interface LocalNames {
  /** @param uuid 32 hexadecimal digits */
  namespaceOf(uuid: string): string | undefined;
  uuidOf(namespace: string): string | undefined;
}

/** How a command wants to a collection. */
export interface Admission {
  readonly namespace: string;
  readonly isWrite: boolean;
}

/** Of each server itself, whatever a router says. */
export const OWN_DATABASES: ReadonlySet<string> = new Set(['admin', 'config', 'local']);
const PROFILE = '.system.profile';
/** So often it reads what it lacks before it says that the router is wrong. */
const REFRESHES = 3;
const REFRESH_TIMEOUT_MS = 10_000;

export class ShardingState {
  readonly peers: Peers;
  readonly statistics = new MigrationStatistics();
  readonly userWrites = new UserWrites();
  identity: ShardIdentity | undefined;
  /** Where changes of the collection are noted that is being migrated. */
  changes: MigrationChanges | undefined;
  /** How collections are called on this server; absent: nobody looks. */
  localNames: LocalNames | undefined;
  private readonly collections = new Map<string, CollectionState>();
  private readonly databases = new Map<string, DatabaseState>();
  private readonly refreshing = new Map<string, Promise<void>>();
  /** What operations under way are counted for as writers. */
  private readonly writing = new WeakMap<RoutedOperation, Set<string>>();

  constructor(peers: Peers) {
    this.peers = peers;
  }

  /** @throws CommandError ShardingStateNotInitialized */
  get requiredIdentity(): ShardIdentity {
    if (this.identity !== undefined) return this.identity;
    throw new CommandError(
      'ShardingStateNotInitialized',
      'Cannot accept sharding commands if sharding state has not been initialized with a shardIdentity document',
    );
  }

  collection(namespace: string): CollectionState {
    let state = this.collections.get(namespace);
    if (state === undefined) {
      state = new CollectionState();
      this.collections.set(namespace, state);
    }
    return state;
  }

  database(name: string): DatabaseState {
    let state = this.databases.get(name);
    if (state === undefined) {
      state = new DatabaseState(name);
      this.databases.set(name, state);
    }
    return state;
  }

  /** Namespaces of the database of which something is known or under way. */
  namespacesOf(database: string): string[] {
    return [...this.collections.keys()].filter((namespace) => databaseOf(namespace) === database);
  }

  /** Lets a command in whose router agrees with this shard. @throws CommandError StaleConfig, StaleDbVersion */
  admit(op: RoutedOperation, admission: Admission): MaybePromise<void> {
    const database = databaseOf(admission.namespace);
    if (OWN_DATABASES.has(database)) return undefined;
    const { shardName } = this.requiredIdentity;
    if (this.agreesOnDatabase(op, database, shardName) && this.tryEnter(op, admission)) {
      return undefined;
    }
    return this.admitAfterRefresh(op, admission);
  }

  /** The same for a command on a database as a whole. @throws CommandError StaleDbVersion */
  admitToDatabase(op: RoutedOperation, name: string): MaybePromise<void> {
    if (op.routedBy?.databaseVersion === undefined || OWN_DATABASES.has(name)) return undefined;
    const { shardName } = this.requiredIdentity;
    const state = this.database(name);
    const isReady = (): boolean =>
      state.blocked === undefined && this.agreesOnDatabase(op, name, shardName);
    if (!isReady()) return this.waitForDatabase(op, name, isReady);
    op.onRelease(state.use(op));
    return undefined;
  }

  /**
   * Counts an operation that changes definitions of unsharded collections or views of a database until it ends.
   * @throws CommandError MovePrimaryInProgress
   */
  enterDefinitionChange(op: RoutedOperation, database: string): void {
    if (this.identity === undefined || OWN_DATABASES.has(database)) return;
    op.onRelease(this.database(database).enterDefinitionChange());
  }

  /**
   * Counts a transaction's operation as a writer until it ends, unless it was let in as one: a write that came without versions is
   * held back by a critical section like any other, and waited for.
   * @throws WriteConflictError within a critical section: the transaction begins again when that is over
   */
  enterTransaction(op: RoutedOperation, namespace: string): void {
    if (this.identity === undefined || this.isWriting(op, namespace)) return;
    // The profile is written when its operation is over, and never moves.
    if (OWN_DATABASES.has(databaseOf(namespace)) || namespace.endsWith(PROFILE)) return;
    const state = this.collection(namespace);
    const blocked = state.blocks(true);
    if (blocked !== undefined) throw new WriteConflictError(blocked);
    const expected = op.writes?.get(namespace);
    if (expected !== undefined && expected !== state.known) {
      throw new CommandError('QueryPlanKilled', `${namespace} was moved, sharded or dropped`);
    }
    this.checkStays(namespace);
    this.checkIsHere(op, namespace);
    op.onRelease(this.beginWrite(op, namespace));
  }

  /** Work in the background writes: counted for this long only. */
  async whileWriting<Result>(
    op: RoutedOperation,
    namespace: string,
    work: () => MaybePromise<Result>,
  ): Promise<Result> {
    const state = this.collection(namespace);
    for (let blocked = state.blocks(true); blocked !== undefined; blocked = state.blocks(true)) {
      await op.waitFor(blocked);
    }
    this.checkStays(namespace);
    const end = this.beginWrite(op, namespace);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** @throws CommandError MovePrimaryInProgress for an unsharded collection that is about to go */
  private checkStays(namespace: string): void {
    const state = this.databases.get(databaseOf(namespace));
    if (state?.isMoving !== true || this.shardKeyOf(namespace) !== undefined) return;
    state.checkMayChange(namespace);
  }

  /** The operation writes to a collection besides its own; called when it begins. */
  useForOutput(op: RoutedOperation, namespace: string): void {
    const database = databaseOf(namespace);
    if (!OWN_DATABASES.has(database)) op.onRelease(this.database(database).use(op));
  }

  /** @throws CommandError StaleDbVersion for an operation that was let in before its database went to another shard */
  private checkIsHere(op: RoutedOperation, namespace: string): void {
    const name = databaseOf(namespace);
    const received = op.routedBy?.databaseVersion;
    if (received === undefined || this.databases.get(name)?.isOutdated(op) !== true) return;
    throw staleDbVersionError(name, received, undefined);
  }

  /** What it inserts is another shard's, or has no shard key: the router's knowledge is wrong, whatever its version says. */
  notOwned(op: RoutedOperation, namespace: string): CommandError {
    return staleConfigError({
      namespace,
      received: op.routedBy?.shardVersion ?? ShardVersion.IGNORED,
      wanted: this.collection(namespace).known?.version,
      shardId: this.requiredIdentity.shardName,
      because: 'a document of another shard was sent for',
    });
  }

  /** By which key the collection is sharded, as far as this shard knows. */
  shardKeyOf(namespace: string): ShardKeyPattern | undefined {
    return this.collections.get(namespace)?.known?.routing?.entry.pattern;
  }

  /**
   * Reads a collection's routing, all that came after what is known. The reading begins after the call: whoever has heard that
   * something changed sees it. One that is under way may have begun before.
   */
  async refresh(op: RoutedOperation, namespace: string): Promise<KnownCollection> {
    const earlier = this.refreshing.get(namespace);
    if (earlier !== undefined) await op.waitFor(earlier.catch(() => {}));
    return this.learn(op, namespace);
  }

  /** The same, or what a reading under way finds. */
  private async learn(op: RoutedOperation, namespace: string): Promise<KnownCollection> {
    const { shardName, configHost } = this.requiredIdentity;
    const state = this.collection(namespace);
    for (let attempt = 1; attempt <= REFRESHES; attempt += 1) {
      await this.once(op, namespace, async (isCurrent) => {
        const read: ReadMetadata = (from, filter, sort) =>
          this.peers.find(configHost, from, filter, {
            timeoutMs: REFRESH_TIMEOUT_MS,
            ...(sort === undefined ? {} : { sort }),
          });
        const routing = await readRouting(read, namespace, state.known?.routing);
        await this.checkNames(namespace, routing, read);
        // What has not changed stays, with its users: a removal waits for those of before a change, and for no others.
        if (isCurrent() && state.known?.isStill(routing) !== true) {
          state.known = new KnownCollection(routing, shardName);
        }
      });
      const { known } = state;
      if (known !== undefined) return known;
    }
    throw new CommandError('ConflictingOperationInProgress', `${namespace} changed meanwhile`);
  }

  /**
   * A collection that was renamed or dropped is so at the config server first, and on this shard a moment later: until then its names are
   * not what they seem.
   * @throws CommandError StaleConfig: the router asks again
   */
  private async checkNames(
    namespace: string,
    routing: CollectionRouting | undefined,
    read: ReadMetadata,
  ): Promise<void> {
    if (this.localNames === undefined) return;
    let behind: string | undefined;
    if (routing !== undefined) {
      const local = this.localNames.namespaceOf(routing.entry.uuid);
      if (local !== undefined && local !== namespace) behind = 'a rename';
    } else {
      const { known } = this.collection(namespace);
      const uuid = known?.isUnsharded === true ? undefined : this.localNames.uuidOf(namespace);
      if (uuid !== undefined) behind = await changeOf(uuid, read);
    }
    if (behind === undefined) return;
    throw staleConfigError({
      namespace,
      received: ShardVersion.IGNORED,
      wanted: undefined,
      shardId: this.requiredIdentity.shardName,
      because: `${behind} has not reached this shard yet:`,
    });
  }

  /** The next command reads again. What is being read now may be older, and does not count. */
  forget(namespace: string): void {
    this.refreshing.delete(namespace);
    this.collection(namespace).known = undefined;
  }

  forgetDatabase(name: string): void {
    this.refreshing.delete(slotOfDatabase(name));
    this.database(name).forget();
  }

  private agreesOnDatabase(op: RoutedOperation, database: string, shardName: string): boolean {
    const received = op.routedBy?.databaseVersion;
    if (received === undefined) return true;
    const known = this.databases.get(database)?.known;
    return known !== undefined && known.primary === shardName && known.version.equals(received);
  }

  /** A command with the version of its database is for an unsharded collection. */
  private databaseOf(op: RoutedOperation, namespace: string): DatabaseState | undefined {
    if (op.routedBy?.databaseVersion === undefined) return undefined;
    return this.database(databaseOf(namespace));
  }

  private async waitForDatabase(
    op: RoutedOperation,
    name: string,
    isReady: () => boolean,
  ): Promise<void> {
    const state = this.database(name);
    for (let refreshes = 0; !isReady();) {
      if (state.blocked !== undefined) {
        await op.waitFor(state.blocked);
        continue;
      }
      if (refreshes === REFRESHES) throw this.staleDatabase(op, name);
      refreshes += 1;
      await this.refreshDatabase(op, name);
    }
    op.onRelease(state.use(op));
  }

  /** @returns false when something has to be waited for or read first */
  private tryEnter(op: RoutedOperation, { namespace, isWrite }: Admission): boolean {
    const received = op.routedBy?.shardVersion;
    const state = this.collection(namespace);
    if (state.blocks(isWrite) !== undefined) return false;
    const database = this.databaseOf(op, namespace);
    if (database?.blocked !== undefined) return false;
    if (received !== undefined) {
      const { known } = state;
      if (known === undefined) return false;
      if (!received.isIgnored && !known.version.isCompatibleWith(received)) return false;
      op.ownership = known.ownership;
      // From now on, not only from when its plan opens: what it may see is not removed.
      if (!isWrite || known.ownership !== undefined) hold(op, known);
    }
    if (isWrite && database?.isMoving === true) database.checkMayChange(namespace);
    if (isWrite) op.onRelease(this.beginWrite(op, namespace));
    if (database !== undefined) op.onRelease(database.use(op));
    return true;
  }

  private isWriting(op: RoutedOperation, namespace: string): boolean {
    return this.writing.get(op)?.has(namespace) === true;
  }

  /** @returns to be called when the write is over */
  private beginWrite(op: RoutedOperation, namespace: string): () => void {
    const namespaces = this.writing.get(op) ?? new Set<string>();
    this.writing.set(op, namespaces.add(namespace));
    const end = this.collection(namespace).enterWrite();
    return () => {
      namespaces.delete(namespace);
      end();
    };
  }

  private async admitAfterRefresh(op: RoutedOperation, admission: Admission): Promise<void> {
    const { namespace, isWrite } = admission;
    const database = databaseOf(namespace);
    const { shardName } = this.requiredIdentity;
    const state = this.collection(namespace);
    for (let refreshes = 0; ;) {
      const blocked = state.blocks(isWrite) ?? this.databaseOf(op, namespace)?.blocked;
      if (blocked !== undefined) {
        await op.waitFor(blocked);
        continue;
      }
      const agrees = this.agreesOnDatabase(op, database, shardName);
      if (agrees && this.tryEnter(op, admission)) return;
      const received = op.routedBy?.shardVersion;
      const mayLearn = !agrees || received === undefined || !isOlder(received, state.known);
      if (refreshes === REFRESHES || !mayLearn) {
        throw this.stale(op, admission, agrees);
      }
      refreshes += 1;
      if (agrees) await this.learn(op, namespace);
      else await this.refreshDatabase(op, database);
    }
  }

  private stale(op: RoutedOperation, { namespace }: Admission, agrees: boolean): CommandError {
    const database = databaseOf(namespace);
    const { shardName } = this.requiredIdentity;
    const { shardVersion } = op.routedBy ?? {};
    if (!agrees) return this.staleDatabase(op, database);
    if (shardVersion === undefined) throw new Error('an admission without a version');
    return staleConfigError({
      namespace,
      received: shardVersion,
      wanted: this.collection(namespace).known?.version,
      shardId: shardName,
      because: 'version mismatch detected for',
    });
  }

  private staleDatabase(op: RoutedOperation, name: string): CommandError {
    const received = op.routedBy?.databaseVersion;
    if (received === undefined) throw new Error('a database disagrees with no version');
    const known = this.databases.get(name)?.known;
    const isOurs = known?.primary === this.requiredIdentity.shardName;
    return staleDbVersionError(name, received, isOurs ? known.version : undefined);
  }

  /** The primary shard of a database, as far as it is known. */
  primaryOf(database: string): string | undefined {
    return this.databases.get(database)?.known?.primary;
  }

  /** Reads a database's entry. */
  refreshDatabase(op: RoutedOperation, name: string): Promise<void> {
    const { configHost } = this.requiredIdentity;
    return this.once(op, slotOfDatabase(name), async (isCurrent) => {
      const filter = documentOf({ _id: name });
      const [document] = await this.peers.find(configHost, 'config.databases', filter, {
        timeoutMs: REFRESH_TIMEOUT_MS,
      });
      if (!isCurrent()) return;
      this.database(name).known =
        document === undefined ? undefined : databaseFromDocument(document);
    });
  }

  /** One reading at a time for each name; who comes while one is under way waits for it, and looks whether it was enough. */
  private once(
    op: RoutedOperation,
    name: string,
    read: (isCurrent: () => boolean) => Promise<void>,
  ): Promise<void> {
    const known = this.refreshing.get(name);
    if (known !== undefined) return op.waitFor(known);
    // Forgotten meanwhile, or read by somebody else after that.
    const isCurrent = (): boolean => this.refreshing.get(name) === running;
    const running: Promise<void> = Promise.resolve()
      .then(() => read(isCurrent))
      .finally(() => {
        if (isCurrent()) this.refreshing.delete(name);
      });
    this.refreshing.set(name, running);
    // Who waits may be interrupted, and then nobody hears how it ended.
    running.catch(() => {});
    return op.waitFor(running);
  }
}

/** Until the operation ends; a cursor that it opens goes on holding what it reads. */
export function hold(op: RoutedOperation, known: KnownCollection): void {
  op.reads.push(known);
  op.onRelease(known.use());
}

/** What the cluster has done with a collection that this shard has by a name which is not sharded. */
async function changeOf(uuid: string, read: ReadMetadata): Promise<string | undefined> {
  const id = uuidValue(uuid);
  // In this order: who is renamed and dropped meanwhile is found by the second.
  if ((await read('config.collections', documentOf({ uuid: id }))).length > 0) return 'a rename';
  if ((await read('config.pendingDrops', documentOf({ _id: id }))).length > 0) return 'a drop';
  return undefined;
}

/** No namespace has this form. */
function slotOfDatabase(name: string): string {
  return `${name}.`;
}

/** The router's knowledge is older than the shard's own: reading again would teach the shard nothing. */
function isOlder(received: ShardVersion, known: KnownCollection | undefined): boolean {
  if (known === undefined || !known.version.isSameGeneration(received)) return false;
  return received.major < known.version.major;
}

function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}
