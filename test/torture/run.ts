/**
 * The torture of migrations: clients write, readers read, movers split, merge and move chunks, and processes die; then the books are
 * compared with what is there.
 */
import { MongoClient } from 'mongodb';
import { startCluster, type Cluster } from '../../client/index.ts';
import { SeededRandom } from '../../common/random.ts';
import {
  COLLECTION_NAMES,
  COLLECTIONS,
  shardedDocument,
  type CollectionName,
  type DocumentId,
} from './documents.ts';
import { Killer, sleep } from './kills.ts';
import { checkChunks, ChunkHistory, readChunks } from './metadata.ts';
import { Mover } from './movers.ts';
import {
  checkPlacement,
  leftovers,
  ownCheck,
  versionsOfOwner,
  type ShardAddress,
} from './placement.ts';
import { Reader } from './readers.ts';
import { Report } from './report.ts';
import { Writer } from './writer.ts';

export interface TortureOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Default 16. */
  readonly clients?: number;
  /** Default 3. */
  readonly shards?: number;
  /** Default true. */
  readonly kills?: boolean;
  /** The caller's directory, for whoever wants to look at the logs afterwards. */
  readonly dir?: string;
  readonly onViolation?: (line: string) => void;
  /** Hears now and then how it goes. */
  readonly onProgress?: (line: string) => void;
}

export interface TortureTotals {
  readonly report: Report;
  readonly kills: ReadonlyMap<string, number>;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly unanswered: number;
  /** At the end. */
  readonly documents: number;
  /** From the last kill until nothing was left of migrations, milliseconds. */
  readonly settleMs: number;
  /** Whether checkMetadataConsistency was there to be asked. */
  readonly checkedItself: boolean;
}

/** A router that is killed leaves cursors on the shards, and what they may want to read is not removed before they end. */
const CURSORS_END_SOON = ['--setParameter', 'cursorTimeoutMillis=4000'];
const STABLE_DOCUMENTS = 300;
const SETTLE_MS = 60_000;
const PROGRESS_MS = 10_000;
const MOVERS = 3;
const READERS = 2;

export async function runTorture(options: TortureOptions): Promise<TortureTotals> {
  const { shards = 3, dir } = options;
  const cluster = await startCluster({
    shards,
    routers: 2,
    args: CURSORS_END_SOON,
    ...(dir === undefined ? {} : { dir }),
  });
  const clients: MongoClient[] = [];
  const connect = async (): Promise<MongoClient> => {
    const client = new MongoClient(cluster.uri, {
      retryWrites: false,
      retryReads: false,
      maxPoolSize: 2,
      serverSelectionTimeoutMS: 10_000,
      heartbeatFrequencyMS: 1_000,
    });
    clients.push(client);
    return client.connect();
  };
  try {
    return await torture(options, cluster, connect);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.stop();
  }
}

async function torture(
  options: TortureOptions,
  cluster: Cluster,
  connect: () => Promise<MongoClient>,
): Promise<TortureTotals> {
  const { seed, clients = 16, kills = true } = options;
  const report = new Report(options.onViolation);
  const router = await connect();
  await prepare(router);
  const writers = await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const name = COLLECTION_NAMES[index % COLLECTION_NAMES.length] ?? 'ranged';
      const random = new SeededRandom(seed * 1_000 + index);
      return new Writer(index + 1, { client: await connect(), name, random, report });
    }),
  );
  const histories: Record<CollectionName, ChunkHistory> = {
    ranged: new ChunkHistory(),
    hashed: new ChunkHistory(),
    compound: new ChunkHistory(),
  };
  const addresses = shardsOf(cluster);
  const movers = Array.from({ length: MOVERS }, (_, index) => {
    const random = new SeededRandom(seed * 1_000 + 500 + index);
    const names = addresses.map(({ name }) => name);
    return { random, names };
  });
  const killer = new Killer(cluster, new SeededRandom(seed * 1_000 + 700), report);
  const endMs = performance.now() + options.seconds * 1000;
  let isWritingOver = false;
  const isOver = (): boolean => performance.now() > endMs;
  const areWritesOver = (): boolean => isWritingOver;
  const working: Promise<void>[] = writers.map((writer) => writer.workUntil(areWritesOver));
  for (const { random, names } of movers) {
    const parts = { client: await connect(), random, report, shards: names };
    const mover = new Mover({ ...parts, histories, writers: clients });
    working.push(mover.workUntil(areWritesOver));
  }
  for (let index = 0; index < READERS; index += 1) {
    const random = new SeededRandom(seed * 1_000 + 600 + index);
    const reader = new Reader(await connect(), random, report, STABLE_DOCUMENTS);
    working.push(reader.workUntil(areWritesOver));
  }
  working.push(tell(options, { report, writers, killer }, areWritesOver));
  if (kills) await killer.workUntil(isOver);
  else while (!isOver()) await sleep(100);
  isWritingOver = true;
  await Promise.all(working);
  const settleMs = await settle(addresses, report);
  const checkedItself = await checkAll({ router, addresses, writers, histories, report });
  const totals = writers.map(({ ledger }) => ledger.totals);
  const sum = (what: keyof Writer['ledger']['totals']): number =>
    totals.reduce((total, each) => total + each[what], 0);
  return {
    report,
    kills: killer.byMember,
    inserts: sum('inserts'),
    updates: sum('updates'),
    deletes: sum('deletes'),
    unanswered: sum('unanswered'),
    documents: writers.reduce((total, { ledger }) => total + ledger.size, 0),
    settleMs,
    checkedItself,
  };
}

async function prepare(router: MongoClient): Promise<void> {
  const database = router.db('torture');
  for (const name of COLLECTION_NAMES) {
    await router
      .db('admin')
      .command({ shardCollection: `torture.${name}`, key: COLLECTIONS[name] });
    await database.collection(name).createIndex({ unique: 1 });
    const stable = Array.from({ length: STABLE_DOCUMENTS }, (_, id) => shardedDocument(id, 1));
    await database
      .collection<{ _id: DocumentId }>(name)
      .insertMany(stable, { writeConcern: { w: 1, j: true } });
  }
}

function shardsOf(cluster: Cluster): readonly ShardAddress[] {
  return cluster.members
    .filter(({ kind }) => kind === 'shard')
    .map(({ name }) => ({ name, uri: cluster.uriOf(name) }));
}

/** Waits until migrations and range deletions have come to their end. @returns how long it took, milliseconds */
async function settle(addresses: readonly ShardAddress[], report: Report): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const left = await leftovers(addresses);
    const tookMs = performance.now() - beganMs;
    if (left.length === 0) return tookMs;
    if (tookMs > SETTLE_MS) {
      for (const line of left) report.violation(line);
      return tookMs;
    }
    await sleep(100);
  }
}

interface Checked {
  readonly router: MongoClient;
  readonly addresses: readonly ShardAddress[];
  readonly writers: readonly Writer[];
  readonly histories: Readonly<Record<CollectionName, ChunkHistory>>;
  readonly report: Report;
}

/** @returns whether the cluster could be asked to check itself */
async function checkAll(parts: Checked): Promise<boolean> {
  const { router, addresses, writers, histories, report } = parts;
  for (const writer of writers) await writer.check();
  for (const name of COLLECTION_NAMES) {
    for (const wrong of checkChunks(await readChunks(router, name), histories[name])) {
      report.violation(`at the end, ${name}: ${wrong}`);
    }
    const { versions, violations } = await checkPlacement(router, addresses, name);
    for (const wrong of violations) report.violation(`at the end, ${wrong}`);
    writers.forEach((writer, index) => {
      if (writer.name !== name) return;
      for (const wrong of writer.ledger.compare(versionsOfOwner(versions, index + 1))) {
        report.violation(`at the end on the shards, ${name}: ${wrong}`);
      }
    });
    const stable = versionsOfOwner(versions, 0).size;
    if (stable !== STABLE_DOCUMENTS) {
      report.violation(`at the end, ${name}: ${stable} documents that never change`);
    }
  }
  const own = await ownCheck(router);
  for (const wrong of own ?? []) report.violation(wrong);
  return own !== undefined;
}

async function tell(
  { onProgress, seconds }: TortureOptions,
  parts: {
    readonly report: Report;
    readonly writers: readonly Writer[];
    readonly killer: Killer;
  },
  isOver: () => boolean,
): Promise<void> {
  if (onProgress === undefined) return;
  const beganMs = performance.now();
  let toldMs = beganMs;
  while (!isOver()) {
    await sleep(250);
    if (performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    const { report, writers, killer } = parts;
    const writes = writers.reduce((total, { ledger: { totals } }) => {
      return total + totals.inserts + totals.updates + totals.deletes;
    }, 0);
    const moves = (report.done.get('moveChunk') ?? 0) + (report.done.get('moveRange') ?? 0);
    onProgress(
      `${Math.round((toldMs - beganMs) / 1000)} of ${seconds} s: ${writes} writes, ${report.reads} reads, ` +
        `${report.scans} scans, ${moves} moves, ${killer.kills} kills, ${report.violations.length} violations`,
    );
  }
}
