/**
 * What the router knows of databases and collections: the config server's metadata, kept until a shard says that it is old.
 *
 * Owns: one entry per database and per collection that somebody asked for; at most one refresh of each at a time, which all who need
 * it wait for, each with its own deadline. Chunks come incrementally: only those newer than the newest that is known.
 * Promises: never wrong for long: a shard refuses what was routed by an old entry, and the entry is then read again. An entry that
 * cannot be read is no entry: the error goes to whoever asked.
 */
import {
  binaryValue,
  documentOf,
  type PlainValue,
  stringValue,
  timestampValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import {
  ChunkMap,
  chunkFromDocument,
  collectionFromDocument,
  databaseFromDocument,
  type CollectionEntry,
  type DatabaseVersion,
} from '../../server/cluster.ts';
import { databaseOf, readAll } from '../network/read-all.ts';
import { CONFIG_SHARD, type ShardRegistry } from '../network/shard-registry.ts';
import { waitFor } from '../network/wait-for.ts';

export interface DatabaseRoute {
  readonly name: string;
  /** Name of the shard that has its unsharded collections. */
  readonly primary: string;
  /** undefined for the config server's own databases. */
  readonly version: DatabaseVersion | undefined;
}

/** A sharded collection as one version of the metadata has it. Immutable. */
export interface ShardedCollection {
  readonly entry: CollectionEntry;
  readonly chunks: ChunkMap;
}

/** One thing that is known, or being asked for. */
interface Slot<Value> {
  known: { readonly value: Value } | undefined;
  /** What is known may be old. */
  isStale: boolean;
  refreshing: Promise<Value> | undefined;
}

/** Names that are kept at most, of each kind: a client that asks for ever new ones costs no more. */
const MAX_SLOTS = 20_000;
/** Chunks that changed while they were read are read again so often. */
const MAX_READS = 5;
const UUID_SUBTYPE = 4;

const CONFIG_DATABASES: ReadonlySet<string> = new Set(['config', 'admin']);

export class RoutingCache {
  private readonly shards: ShardRegistry;
  private readonly databases = new Map<string, Slot<DatabaseRoute | undefined>>();
  private readonly collections = new Map<string, Slot<ShardedCollection | undefined>>();
  /** For serverStatus: how often each was read from the config server. */
  readonly counts = { databaseRefreshes: 0, fullRefreshes: 0, incrementalRefreshes: 0 };

  constructor(shards: ShardRegistry) {
    this.shards = shards;
  }

  get databaseCount(): number {
    return this.databases.size;
  }

  get collectionCount(): number {
    return this.collections.size;
  }

  /** undefined: there is no such database. @throws CommandError when the config server cannot be asked */
  database(name: string, interruption: Interruption): Promise<DatabaseRoute | undefined> {
    if (CONFIG_DATABASES.has(name)) {
      return Promise.resolve({ name, primary: CONFIG_SHARD, version: undefined });
    }
    const slot = slotOf(this.databases, name);
    // Whoever creates it may be another router: that there is none is never remembered.
    if (slot.known !== undefined && slot.known.value === undefined) slot.isStale = true;
    return fresh(slot, interruption, () => this.readDatabase(name));
  }

  /** undefined: the collection is not sharded, or not there. */
  collection(
    namespace: string,
    interruption: Interruption,
  ): Promise<ShardedCollection | undefined> {
    if (CONFIG_DATABASES.has(databaseOf(namespace))) return Promise.resolve(undefined);
    const slot = slotOf(this.collections, namespace);
    return fresh(slot, interruption, () => this.readCollection(namespace, slot.known?.value));
  }

  /** A shard said that the entry is old. @param used what was routed by; when there is another one by now, that stays. */
  collectionIsStale(
    namespace: string,
    used?: { readonly value: ShardedCollection | undefined },
  ): void {
    const slot = this.collections.get(namespace);
    if (slot === undefined) return;
    if (used !== undefined && slot.known?.value !== used.value) return;
    slot.isStale = true;
  }

  databaseIsStale(name: string, used?: DatabaseRoute): void {
    const slot = this.databases.get(name);
    if (slot === undefined || (used !== undefined && slot.known?.value !== used)) return;
    slot.isStale = true;
  }

  /** Forgets everything, one database, or one collection: flushRouterConfig. */
  forget(what?: string): void {
    if (what === undefined) {
      this.databases.clear();
      this.collections.clear();
      return;
    }
    this.collections.delete(what);
    if (what.includes('.')) return;
    this.databases.delete(what);
    for (const namespace of this.collections.keys()) {
      if (databaseOf(namespace) === what) this.collections.delete(namespace);
    }
  }

  /** What is known of sharded collections, without asking. */
  *known(): Generator<ShardedCollection> {
    for (const { known } of this.collections.values()) {
      if (known?.value !== undefined) yield known.value;
    }
  }

  private async readDatabase(name: string): Promise<DatabaseRoute | undefined> {
    this.counts.databaseRefreshes += 1;
    const [document] = await this.read('databases', { _id: name });
    if (document === undefined) return undefined;
    const { primary, version } = databaseFromDocument(document);
    return { name, primary, version };
  }

  private async readCollection(
    namespace: string,
    before: ShardedCollection | undefined,
  ): Promise<ShardedCollection | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const [document] = await this.read('collections', { _id: namespace });
      if (document === undefined) return undefined;
      // The entry outlives the network buffer that it came in.
      const entry = collectionFromDocument(Buffer.from(document));
      try {
        return await this.readChunks(entry, attempt === 1 ? before : undefined);
      } catch (error) {
        const hasChanged =
          error instanceof CommandError && error.codeName === 'ConflictingOperationInProgress';
        if (!hasChanged || attempt === MAX_READS) throw error;
      }
    }
  }

  private async readChunks(
    entry: CollectionEntry,
    before: ShardedCollection | undefined,
  ): Promise<ShardedCollection> {
    const { chunks } = before ?? {};
    const uuid = binaryValue(Buffer.from(entry.uuid, 'hex'), UUID_SUBTYPE);
    const isSame =
      chunks !== undefined &&
      before?.entry.uuid === entry.uuid &&
      chunks.generation.epoch === entry.generation.epoch &&
      chunks.generation.timestamp === entry.generation.timestamp;
    const { major, minor } = isSame ? chunks.version : { major: 0, minor: 0 };
    const since = documentOf({ $gte: timestampValue(major, minor) });
    const documents = await this.read('chunks', { uuid, lastmod: since }, { lastmod: 1 });
    const news = documents.map((each) => chunkFromDocument(Buffer.from(each), entry.pattern));
    if (isSame) {
      this.counts.incrementalRefreshes += 1;
      return { entry, chunks: chunks.updated(news) };
    }
    this.counts.fullRefreshes += 1;
    return { entry, chunks: ChunkMap.of(entry.generation, news) };
  }

  private read(
    collection: string,
    filter: Readonly<Record<string, PlainValue>>,
    sort?: Readonly<Record<string, number>>,
  ): Promise<Buffer[]> {
    return readAll(this.shards.config, uninterruptible, {
      database: 'config',
      collection,
      filter: documentOf(filter),
      ...(sort === undefined ? {} : { sort: documentOf(sort) }),
    });
  }

  /** Makes the database on the config server's choice of a shard, if it is not there. */
  async createDatabase(name: string, interruption: Interruption): Promise<DatabaseRoute> {
    const known = await this.database(name, interruption);
    if (known !== undefined) return known;
    const command = documentOf({
      _configsvrCreateDatabase: stringValue(name),
      writeConcern: documentOf({ w: 'majority' }),
      $db: 'admin',
    });
    await this.shards.config.command(command, interruption);
    this.databaseIsStale(name);
    const created = await this.database(name, interruption);
    if (created !== undefined) return created;
    throw new CommandError('NamespaceNotFound', `database ${name} not found`);
  }
}

function slotOf<Value>(slots: Map<string, Slot<Value>>, name: string): Slot<Value> {
  let slot = slots.get(name);
  if (slot === undefined) {
    if (slots.size >= MAX_SLOTS) {
      const [oldest] = slots.keys();
      if (oldest !== undefined) slots.delete(oldest);
    }
    slot = { known: undefined, isStale: true, refreshing: undefined };
    slots.set(name, slot);
  }
  return slot;
}

function fresh<Value>(
  slot: Slot<Value>,
  interruption: Interruption,
  read: () => Promise<Value>,
): Promise<Value> {
  if (!slot.isStale && slot.known !== undefined) return Promise.resolve(slot.known.value);
  // News that come while it is read ask for another read.
  if (slot.refreshing === undefined) {
    slot.isStale = false;
    slot.refreshing = read()
      .then(
        (value) => {
          slot.known = { value };
          return value;
        },
        (error: unknown) => {
          slot.isStale = true;
          throw error;
        },
      )
      .finally(() => {
        slot.refreshing = undefined;
      });
  }
  return waitFor(slot.refreshing, interruption);
}
