/**
 * The oracle of sharding: one server knows the answer, a cluster whose chunks move all the time must give the same.
 *
 * Owns: one seed's collections on both sides, the chunks' moves, and what "the same" means: values, types, order where the sort makes it
 * one, what a write says, codes of errors, and at the end every document. A failure says the seed and the operation as it can be sent by hand.
 */
import { Binary, type Db, type Document, MongoBulkWriteError, MongoServerError } from 'mongodb';
import { SeededRandom } from '../../common/random.ts';
import {
  anyDocument,
  anyOperation,
  keyValue,
  type ShardedOperation,
} from './sharded-operations.ts';
import { normalText, text } from './texts.ts';
import { pick } from './values.ts';

export interface ShardedReport {
  readonly operations: number;
  readonly writes: number;
  /** Refused on both sides alike. */
  readonly errors: number;
  readonly splits: number;
  readonly moves: number;
  /** Moves that the cluster refused: another one was under way. */
  readonly refusedMoves: number;
}

export interface ShardedSides {
  /** On one server. */
  readonly single: Db;
  /** Through each of the routers: operations go through them in turns, so that each learns late what the other one did. */
  readonly routers: readonly [Db, ...Db[]];
}

const SHARD_KEYS: readonly Document[] = [{ k: 1 }, { k: 'hashed' }, { k: 1, m: 1 }];
const DOCUMENTS = 60;
const SHOWN_LINES = 5;
const SHOWN_LINE = 500;
const MAIN = 'main';
const FOREIGN = 'foreign';

/** One seed: a sharded collection, `count` operations on it, and what is there at the end. @throws Error that says the seed */
export async function runSharded(
  { single, routers }: ShardedSides,
  seed: number,
  count: number,
): Promise<ShardedReport> {
  const [cluster] = routers;
  const random = new SeededRandom(seed);
  const key = SHARD_KEYS[seed % SHARD_KEYS.length]!;
  await Promise.all([single.dropDatabase(), cluster.dropDatabase()]);
  await shard(cluster, MAIN, key);
  if (random.below(2) === 0) await shard(cluster, FOREIGN, pick(random, SHARD_KEYS));
  const documents = Array.from({ length: DOCUMENTS }, (_, id) => anyDocument(random, id));
  const others = Array.from({ length: DOCUMENTS / 3 }, (_, id) => anyDocument(random, id));
  for (const side of [single, cluster]) {
    await side.collection(MAIN).insertMany(documents);
    await side.collection(FOREIGN).insertMany(others);
    await side.collection(MAIN).createIndexes([{ key: { n: 1, _id: 1 } }, { key: { m: -1 } }]);
  }
  let nextId = 1000;
  const scope = {
    random,
    collection: MAIN,
    foreign: FOREIGN,
    freshId: () => (nextId += 1),
    anyStored: async () => {
      const filter = { _id: { $gte: random.below(DOCUMENTS) } } as Document;
      return (await single.collection(MAIN).findOne(filter, { sort: { _id: 1 } })) ?? undefined;
    },
  };
  const mover = new Mover(cluster, seed);
  const moving = mover.run();
  let writes = 0;
  let errors = 0;
  try {
    for (let at = 0; at < count; at += 1) {
      const operation = await anyOperation(scope);
      const router = routers[at % routers.length] ?? cluster;
      const [truth, found] = await Promise.all([
        outcomeOf(operation, single),
        outcomeOf(operation, router),
      ]);
      if (operation.isWrite) writes += 1;
      if (truth.startsWith('error')) errors += 1;
      if (truth === found) continue;
      throw different(seed, at, key, operation, { truth, found });
    }
    for (const name of [MAIN, FOREIGN]) {
      for (const router of routers) await compareAll({ single, router }, seed, name);
    }
  } finally {
    mover.stop();
    await moving;
  }
  return { operations: count, writes, errors, ...mover.counts };
}

async function shard(cluster: Db, name: string, key: Document): Promise<void> {
  const admin = cluster.client.db('admin');
  await admin.command({ shardCollection: `${cluster.databaseName}.${name}`, key });
}

async function compareAll(
  { single, router }: { readonly single: Db; readonly router: Db },
  seed: number,
  name: string,
) {
  const all = (side: Db) => side.collection(name).find().sort({ _id: 1 }).toArray();
  const [truth, found] = [(await all(single)).map(text), (await all(router)).map(text)];
  if (truth.join('\n') === found.join('\n')) return;
  const missing = shortened(truth.filter((each) => !found.includes(each)));
  const extra = shortened(found.filter((each) => !truth.includes(each)));
  throw new Error(
    `seed ${seed}: ${name} at the end: ${found.length} documents, not ${truth.length}; missing\n${missing.join('\n')}\nextra\n${extra.join('\n')}`,
  );
}

/** Who looks into a failure runs its seed again: a few lines of it are enough. */
function shortened(lines: readonly string[]): string[] {
  const shown = lines.slice(0, SHOWN_LINES).map((line) => line.slice(0, SHOWN_LINE));
  return lines.length > SHOWN_LINES ? [...shown, `and ${lines.length - SHOWN_LINES} more`] : shown;
}

function different(
  seed: number,
  at: number,
  key: Document,
  { name, what }: ShardedOperation,
  { truth, found }: { readonly truth: string; readonly found: string },
): Error {
  const [wanted, given] = [truth.split('\n'), found.split('\n')];
  const only = (of: readonly string[], not: readonly string[]): string =>
    shortened(of.filter((line) => !not.includes(line))).join('\n  ') ||
    'nothing that the other has not';
  return new Error(
    `seed ${seed}, operation ${at}, shard key ${text(key)}: ${name} ${text(what).slice(0, 4 * SHOWN_LINE)}\none server gives ${wanted.length}\n  ${only(wanted, given)}\nthe cluster ${given.length}\n  ${only(given, wanted)}`,
  );
}

async function outcomeOf(operation: ShardedOperation, db: Db): Promise<string> {
  try {
    return shown(await operation.run(db), operation);
  } catch (error) {
    if (error instanceof MongoBulkWriteError) return `error ${bulkText(error)}`;
    if (error instanceof MongoServerError) return `error ${error.code} ${error.codeName ?? ''}`;
    throw error;
  }
}

function bulkText(error: MongoBulkWriteError): string {
  const entries = [error.writeErrors].flat();
  const codes = entries.map(({ index, code }) => `${index}:${code}`);
  return `${error.code} [${codes.sort().join()}] ${resultText(error.result)}`;
}

function resultText(result: object): string {
  return text(
    Object.fromEntries(
      Object.entries(result).filter(([name]) =>
        /Count$|^upserted|^inserted|^acknowledged$/.test(name),
      ),
    ),
  );
}

function shown(result: unknown, { isOrdered, isLoose, name }: ShardedOperation): string {
  if (name === 'bulk write' || name === 'insert') return resultText(result as object);
  const asText = isLoose ? normalText : text;
  if (!Array.isArray(result)) return asText(withoutTimes(result));
  const texts = result.map((each: unknown) => asText(withSortedJoin(each)));
  return (isOrdered ? texts : texts.sort()).join('\n');
}

/** What a join finds comes in any order. */
function withSortedJoin(result: unknown): unknown {
  const { joined } = Object(result) as Document;
  if (!Array.isArray(joined)) return result;
  const sorted = (joined as unknown[]).toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
  return { ...(result as Document), joined: sorted };
}

/** Only a cluster has them. */
function withoutTimes(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !('ok' in result)) return result;
  const { $clusterTime: _, operationTime: __, ...rest } = result as Document;
  return rest;
}

/** Splits and moves chunks of a database's sharded collections until it is stopped. */
class Mover {
  readonly counts = { splits: 0, moves: 0, refusedMoves: 0 };
  private readonly cluster: Db;
  private readonly random: SeededRandom;
  private isStopped = false;

  constructor(cluster: Db, seed: number) {
    this.cluster = cluster;
    this.random = new SeededRandom(seed + 1_000_000);
  }

  async run(): Promise<void> {
    const shards: string[] = (await this.config('shards')).map(({ _id }) => String(_id));
    while (!this.isStopped) {
      const of = new RegExp(`^${this.cluster.databaseName}\\.`);
      const collections = await this.config('collections', { _id: of });
      if (collections.length === 0) return;
      const collection = pick(this.random, collections);
      const chunks = await this.config('chunks', { uuid: collection['uuid'] as Binary });
      if (chunks.length === 0) continue;
      if (chunks.length < 12 && this.random.below(2) === 0) {
        await this.split(collection, chunks);
        continue;
      }
      const chunk = pick(this.random, chunks);
      const others = shards.filter((shard) => shard !== chunk['shard']);
      await this.move(String(collection['_id']), chunk, pick(this.random, others));
    }
  }

  stop(): void {
    this.isStopped = true;
  }

  private config(name: string, filter: Document = {}): Promise<Document[]> {
    return this.cluster.client.db('config').collection(name).find(filter).toArray();
  }

  private async split({ _id, key }: Document, chunks: readonly Document[]): Promise<void> {
    const isHashed = Object.values(key as Document).includes('hashed');
    const chunk = pick(this.random, chunks);
    const middle: Document = { k: keyValue(this.random) };
    if ('m' in (key as Document)) middle['m'] = this.random.below(5);
    try {
      const where = isHashed ? { bounds: [chunk['min'], chunk['max']] } : { middle };
      await this.admin({ split: _id, ...where });
      this.counts.splits += 1;
    } catch (error) {
      // At a bound that is there already, or in a chunk of one key.
      if (!(error instanceof MongoServerError)) throw error;
    }
  }

  private async move(namespace: string, { min, max }: Document, to: string): Promise<void> {
    try {
      await this.admin({ moveRange: namespace, min, max, toShard: to });
      this.counts.moves += 1;
    } catch (error) {
      // The chunk has been split since.
      if (!(error instanceof MongoServerError)) throw error;
      this.counts.refusedMoves += 1;
    }
  }

  private admin(command: Document): Promise<Document> {
    return this.cluster.client.db('admin').command(command);
  }
}
