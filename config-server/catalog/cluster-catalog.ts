/**
 * The cluster's metadata: reads config.* as documents and as what they mean, and changes them by compare-and-set.
 *
 * Owns: the collections and indexes of the config database, the routing of collections as last read, and the changelog's entries,
 * which are part of the change that they tell of.
 * Promises: what it returns is durable.
 */
import {
  dateValue,
  documentOf,
  EMPTY_DOCUMENT,
  getField,
  int32Value,
  objectIdValue,
  stringValue,
  timestampValue,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { planQuery, simpleContext } from '../../query/index.ts';
import {
  type Expectation,
  type ServiceContext,
  type Topology,
  type TopologyChange,
} from '../../server/index.ts';
import {
  databaseFromDocument,
  readRouting,
  shardFromDocument,
  type CollectionRouting,
  type DatabaseEntry,
  type OperationContext,
  type ShardEntry,
} from '../../server/cluster.ts';
import { createConfigCollections } from './config-collections.ts';

/** What the changelog tells of a change. */
export interface ChangelogEntry {
  readonly what: string;
  readonly namespace: string;
  readonly details: Buffer;
}

export class ClusterCatalog {
  readonly topology: Topology;
  private readonly service: ServiceContext;
  private readonly routings = new Map<string, CollectionRouting>();
  private id: Buffer | undefined;

  constructor(topology: Topology, service: ServiceContext) {
    this.topology = topology;
    this.service = service;
  }

  /** The cluster's own id, 12 bytes: shards remember it, so that they join no other one. */
  get clusterId(): Buffer {
    if (this.id === undefined) throw new CommandError('NotYetInitialized', 'no cluster id yet');
    return this.id;
  }

  /** Makes the collections and the cluster's id, unless they are there. */
  async open(op: OperationContext): Promise<void> {
    await createConfigCollections(op);
    const key = { set: 'version', id: VERSION_ID };
    const value = documentOf({
      _id: VERSION_ID,
      clusterId: objectIdValue(this.service.stamps.objectIds.next()),
    });
    const expected = [{ key, value: undefined }];
    await this.topology.compareAndSet({ expected, puts: [{ key, value }] }, op);
    const stored = await this.topology.get(key);
    this.id = getField(stored ?? value, 'clusterId')?.asObjectIdBytes();
  }

  /** A timestamp above all that were given before. */
  newTimestamp(): RawValue {
    const { seconds, increment } = this.service.stamps.nextTimestamp();
    return timestampValue(seconds, increment);
  }

  newObjectId(): RawValue {
    return objectIdValue(this.service.stamps.objectIds.next());
  }

  /** Documents of a collection of the config database, in the order of `sort`. */
  async read(
    op: OperationContext,
    namespace: string,
    filter: Buffer = EMPTY_DOCUMENT,
    sort?: Buffer,
  ): Promise<Buffer[]> {
    const view = op.renewView();
    const commit = view.commitNumber;
    const context = simpleContext(this.service.clock, this.service.random);
    const request = { filter, ...(sort === undefined ? {} : { sort }) };
    const plan = planQuery(view, view.collection(namespace), request, context);
    const executor = plan.open(view, op, op.planOptions);
    const found: Buffer[] = [];
    try {
      for (let next = await executor.next(); next !== undefined; next = await executor.next()) {
        found.push(Buffer.from(next));
      }
    } finally {
      executor.close();
    }
    await op.engine.flushed(commit);
    return found;
  }

  async shards(op: OperationContext): Promise<ShardEntry[]> {
    const documents = await this.read(op, 'config.shards', EMPTY_DOCUMENT, BY_ID);
    return documents.map(shardFromDocument);
  }

  /** @param name a shard's name or "host:port". @throws CommandError ShardNotFound */
  async shard(op: OperationContext, name: string): Promise<ShardEntry> {
    const found = (await this.shards(op)).find(
      (shard) => shard.name === name || shard.host === name,
    );
    if (found !== undefined) return found;
    throw new CommandError('ShardNotFound', `Shard ${name} not found`);
  }

  async tryDatabase(name: string): Promise<DatabaseEntry | undefined> {
    const document = await this.topology.get({ set: 'databases', id: stringValue(name) });
    return document === undefined ? undefined : databaseFromDocument(document);
  }

  /** The collection's chunks as they are now; undefined when it is not sharded. */
  async tryRouting(
    op: OperationContext,
    namespace: string,
  ): Promise<CollectionRouting | undefined> {
    const read = (from: string, filter: Buffer, sort?: Buffer): Promise<Buffer[]> =>
      this.read(op, from, filter, sort);
    const routing = await readRouting(read, namespace, this.routings.get(namespace));
    if (routing === undefined) this.routings.delete(namespace);
    else this.routings.set(namespace, routing);
    return routing;
  }

  /** @throws CommandError NamespaceNotSharded */
  async routing(op: OperationContext, namespace: string): Promise<CollectionRouting> {
    const routing = await this.tryRouting(op, namespace);
    if (routing !== undefined) return routing;
    throw new CommandError('NamespaceNotSharded', `Namespace ${namespace} is not sharded`);
  }

  /** @returns false when something was not as expected: read again, and try again */
  async change(
    op: OperationContext,
    change: TopologyChange,
    ...entries: readonly ChangelogEntry[]
  ): Promise<boolean> {
    const puts = [...change.puts, ...entries.map((entry) => this.changelogPut(entry))];
    try {
      return await this.topology.compareAndSet({ expected: change.expected, puts }, op);
    } catch (error) {
      // Two that drew the same version: the unique index lets one of them through.
      if (error instanceof CommandError && error.codeName === 'DuplicateKey') return false;
      throw error;
    }
  }

  private changelogPut({ what, namespace, details }: ChangelogEntry): Expectation {
    const { host, port } = this.service.identity;
    const server = `${host}:${port}`;
    const id = stringValue(
      `${server}-${new Date(this.service.clock.wallMs()).toISOString()}-${this.service.stamps.objectIds.next().toString('hex')}`,
    );
    const value = documentOf({
      _id: id,
      server,
      shard: 'config',
      clientAddr: '',
      time: dateValue(this.service.clock.wallMs()),
      what,
      ns: namespace,
      details,
    });
    return { key: { set: 'changelog', id }, value };
  }
}

const BY_ID = documentOf({ _id: 1 });
/** MongoDB's config.version has this one document. */
const VERSION_ID = int32Value(1);
