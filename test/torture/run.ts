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
import type { StepTable } from './step-table.ts';
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
  /** Ends when something is wrong, for planted bugs. Default false. */
  readonly stopsAtViolation?: boolean;
  readonly onViolation?: (line: string) => void;
  /** Hears now and then how it goes. */
  readonly onProgress?: (line: string) => void;
}

export interface TortureTotals {
  readonly report: Report;
  readonly kills: ReadonlyMap<string, number>;
  readonly steps: StepTable;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly unanswered: number;
  /** Of those without answer so many were looked up when nothing was under way, and are expected exactly from then on. */
  readonly found: number;
  /** At the end. */
  readonly documents: number;
  /** From the last kill of a round until nothing was left of migrations, the longest time, milliseconds. */
  readonly settleMs: number;
  /** How often everything stood still and was checked whole: books, placement, config.chunks, checkMetadataConsistency. */
  readonly checks: number;
  /** Whether checkMetadataConsistency was there to be asked. */
  readonly checkedItself: boolean;
}

/** A router that is killed leaves cursors on the shards, and what they may want to read is not removed before they end. */
const CURSORS_END_SOON = ['--setParameter', 'cursorTimeoutMillis=4000'];
/** Fail points stop migrations at their steps. */
const FAIL_POINTS = ['--setParameter', 'enableTestCommands=1'];
const STABLE_DOCUMENTS = 300;
const SETTLE_MS = 60_000;
const PROGRESS_MS = 10_000;
const ROUTERS = 2;
/** Then all stands still, and is checked. */
const ROUND_MS = 60_000;
const MOVERS = 3;
const READERS = 2;

/** Each client has connections of its own. @param uri default: all routers */
type Connect = (uri?: string) => Promise<MongoClient>;

export async function runTorture(options: TortureOptions): Promise<TortureTotals> {
  const { shards = 3, dir } = options;
  const cluster = await startCluster({
    shards,
    routers: ROUTERS,
    args: [...CURSORS_END_SOON, ...FAIL_POINTS],
    ...(dir === undefined ? {} : { dir }),
  });
  const clients: MongoClient[] = [];
  const connect: Connect = async (uri = cluster.uri) => {
    const client = new MongoClient(uri, {
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
  connect: Connect,
): Promise<TortureTotals> {
  const { seed, clients = 16, kills = true, stopsAtViolation = false } = options;
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
  const movers = await Promise.all(
    Array.from({ length: MOVERS }, async (_, index) => {
      const router = `router${1 + (index % ROUTERS)}`;
      return new Mover({
        client: await connect(cluster.uriOf(router)),
        router,
        random: new SeededRandom(seed * 1_000 + 500 + index),
        report,
        shards: addresses.map(({ name }) => name),
        histories,
        writers: clients,
      });
    }),
  );
  const readers = await Promise.all(
    Array.from({ length: READERS }, async (_, index) => {
      const random = new SeededRandom(seed * 1_000 + 600 + index);
      return new Reader(await connect(), random, report, STABLE_DOCUMENTS);
    }),
  );
  const killer = new Killer({
    cluster,
    random: new SeededRandom(seed * 1_000 + 700),
    report,
    routerOf: (namespace) => movers.find(({ moving }) => moving === namespace)?.router,
    look: async (namespace) => {
      for (const reader of readers) await reader.look(namespace);
    },
  });
  const workers = [...writers, ...movers, ...readers];
  const endMs = performance.now() + options.seconds * 1000;
  const shallStop = (): boolean => stopsAtViolation && report.violations.length > 0;
  let checks = 0;
  let settleMs = 0;
  let areChecked = false;
  while (performance.now() < endMs && !shallStop()) {
    const roundEndMs = Math.min(endMs, performance.now() + ROUND_MS);
    const isRoundOver = (): boolean => performance.now() > roundEndMs || shallStop();
    let areWritesOver = false;
    const working = workers.map((worker) => worker.workUntil(() => areWritesOver));
    working.push(tell(options, { report, writers, killer }, () => areWritesOver));
    if (kills) await killer.workUntil(isRoundOver);
    else while (!isRoundOver()) await sleep(100);
    areWritesOver = true;
    await Promise.all(working);
    settleMs = Math.max(settleMs, await settle(addresses, report));
    areChecked = await checkAll({ router, addresses, writers, histories, report });
    checks += 1;
  }
  const totals = writers.map(({ ledger }) => ledger.totals);
  const sum = (what: keyof Writer['ledger']['totals']): number =>
    totals.reduce((total, each) => total + each[what], 0);
  return {
    report,
    kills: killer.byMember,
    steps: killer.table,
    inserts: sum('inserts'),
    updates: sum('updates'),
    deletes: sum('deletes'),
    unanswered: sum('unanswered'),
    found: sum('found'),
    documents: writers.reduce((total, { ledger }) => total + ledger.size, 0),
    settleMs,
    checks,
    checkedItself: areChecked,
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
  for (const writer of writers) await writer.checkAtRest();
  for (const name of COLLECTION_NAMES) {
    for (const wrong of checkChunks(await readChunks(router, name), histories[name])) {
      report.violation(`at rest, ${name}: ${wrong}`);
    }
    const { versions, violations } = await checkPlacement(router, addresses, name);
    for (const wrong of violations) report.violation(`at rest, ${wrong}`);
    writers.forEach((writer, index) => {
      if (writer.name !== name) return;
      for (const wrong of writer.ledger.compare(versionsOfOwner(versions, index + 1))) {
        report.violation(`at rest on the shards, ${name}: ${wrong}`);
      }
    });
    const stable = versionsOfOwner(versions, 0).size;
    if (stable !== STABLE_DOCUMENTS) {
      report.violation(`at rest, ${name}: ${stable} documents that never change`);
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
