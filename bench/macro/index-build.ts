/**
 * Question: what does an index build over a million documents cost the clients that write meanwhile, and is its result right, also after
 * kill -9 in its middle?
 *
 * Estimate beforehand: a scan gives 300,000 documents/s to the key generators, two keys each; sorting and loading 2 million entries at
 * 50,000-150,000/s dominates: 20-40 s alone on a core. A writer waits for one slice of the scan (256 documents, 1-2 ms) or of a load: p99
 * of the writes from 2 ms to 10 ms.
 *
 * Run: npm run bench -- index-build [--documents 1000000] [--clients 8] [--seconds 10]; ends with exit code 1 when a check fails.
 */
import { parseArgs } from 'node:util';
import { MongoClient, type Collection, type Db, type Document } from 'mongodb';
import {
  Program,
  removeTemporaryDirectory,
  temporaryDirectory,
} from '../../test/support/programs.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const BATCH = 1000;
const FILLER = 'x'.repeat(900);
const INDEXES = [
  { key: { group: 1, at: -1 }, name: 'group_1_at_-1' },
  { key: { number: 1 }, name: 'number_1', unique: true },
  { key: { tags: 1 }, name: 'tags_1' },
];

interface Item extends Document {
  _id: number;
}

function documentOf(number: number): Item {
  return {
    _id: number,
    number,
    group: (number * 7919) % 1000,
    at: new Date(1_600_000_000_000 + ((number * 104_729) % 100_000_000)),
    tags: [`t${number % 50}`, `u${number % 70}`],
    filler: FILLER,
  };
}

/** Clients that write until they are told to stop; their latencies by phase. */
class Writers {
  phase = 'before';
  private readonly latencies = new Map<string, number[]>();
  private readonly running: Promise<void>[] = [];
  private next: number;
  private stopped = false;
  private readonly documents: number;

  /**
   * @param documents that the collection has
   * @param first number of the documents that they insert
   */
  constructor(collections: readonly Collection<Item>[], documents: number, first = documents) {
    this.documents = documents;
    this.next = first;
    for (const collection of collections) this.running.push(this.write(collection));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled(this.running);
  }

  row(phase: string): string[] {
    const all = (this.latencies.get(phase) ?? []).sort((a, b) => a - b);
    const at = (share: number): string =>
      formatNumber(all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN);
    return [phase, formatNumber(all.length), at(0.5), at(0.99), at(0.999), at(1)];
  }

  percentile(phase: string, share: number): number {
    const all = (this.latencies.get(phase) ?? []).sort((a, b) => a - b);
    return all[Math.floor(all.length * share)] ?? Number.NaN;
  }

  private async write(collection: Collection<Item>): Promise<void> {
    for (let step = 0; !this.stopped; step += 1) {
      const { phase } = this;
      const start = performance.now();
      try {
        await this.one(collection, step);
      } catch (error) {
        if (this.stopped || phase === 'killed') return;
        throw error;
      }
      const known = this.latencies.get(phase) ?? [];
      known.push(performance.now() - start);
      this.latencies.set(phase, known);
    }
  }

  private async one(collection: Collection<Item>, step: number): Promise<void> {
    const old = (this.next * 31) % this.documents;
    if (step % 3 === 0) {
      this.next += 1;
      await collection.insertOne(documentOf(this.next));
    } else if (step % 3 === 1) {
      await collection.updateOne({ _id: old }, { $inc: { group: 1 }, $set: { tags: ['new'] } });
    } else {
      await collection.deleteOne({ _id: (old + 17) % this.documents });
    }
  }
}

async function load(collection: Collection<Item>, documents: number): Promise<void> {
  const start = performance.now();
  for (let first = 0; first < documents; first += BATCH) {
    const count = Math.min(BATCH, documents - first);
    await collection.insertMany(Array.from({ length: count }, (_, n) => documentOf(first + n)));
  }
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(
    `loaded ${formatNumber(documents)} documents in ${formatNumber(seconds)} s\n`,
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Check = (holds: boolean, what: string) => void;

async function validated(db: Db, what: string, check: Check): Promise<void> {
  const report = await db.command({ validate: 'items', full: true });
  const sample = JSON.stringify(report['errors'].slice(0, 2));
  check(
    report['valid'] === true,
    `validate ${what}: ${JSON.stringify(report['keysPerIndex'])} ${sample}`,
  );
}

async function progressOf(client: MongoClient): Promise<Document | undefined> {
  const { inprog } = await client
    .db('admin')
    .command({ currentOp: 1, 'command.createIndexes': 'items' });
  return inprog[0] as Document | undefined;
}

function uriOf(program: Program): string {
  return `mongodb://127.0.0.1:${program.port}/?directConnection=true`;
}

/** @param args --documents 1000000, --clients 8, --seconds 10 (before and after the build). @returns whether every check held. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string', default: '1000000' },
      clients: { type: 'string', default: '8' },
      seconds: { type: 'string', default: '10' },
    },
  });
  const documents = Number(values.documents);
  const clients = Number(values.clients);
  const seconds = Number(values.seconds);
  const failures: string[] = [];
  const check: Check = (holds, what) => {
    process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${what}\n`);
    if (!holds) failures.push(what);
  };

  const dbpath = temporaryDirectory();
  printMachine();
  let program = await Program.start({ dbpath });
  let client = await MongoClient.connect(uriOf(program), { maxPoolSize: clients + 4 });
  let db = client.db('bench');
  try {
    await load(db.collection<Item>('items'), documents);
    await client.db('admin').command({ fsync: 1 });
    const own = await Promise.all(
      Array.from({ length: clients }, () =>
        MongoClient.connect(uriOf(program), { maxPoolSize: 1 }),
      ),
    );
    const writers = new Writers(
      own.map((each) => each.db('bench').collection<Item>('items')),
      documents,
    );
    await pause(seconds * 1000);
    writers.phase = 'during';
    const start = performance.now();
    const building = db.command({ createIndexes: 'items', indexes: INDEXES });
    await pause(1000);
    const progress = await progressOf(client);
    await building;
    const took = (performance.now() - start) / 1000;
    writers.phase = 'after';
    await pause(seconds * 1000);
    await writers.stop();
    process.stdout.write(
      `three indexes, one of them unique, over ${formatNumber(documents)} documents in ${formatNumber(took)} s beside ${clients} writers\n`,
    );
    process.stdout.write(
      `progress after a second: ${String(progress?.['msg'])} ${JSON.stringify(progress?.['progress'])}\n`,
    );
    printTable(
      ['writes', 'number', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'],
      ['before', 'during', 'after'].map((phase) => writers.row(phase)),
    );
    // On a machine that others use as well, what the writers met before says how many they are.
    const limitMs = Math.max(50, 3 * writers.percentile('before', 0.99));
    check(
      writers.percentile('during', 0.99) < limitMs,
      `p99 of the writes during the build stays under ${formatNumber(limitMs)} ms`,
    );
    await validated(db, 'after the build', check);
    for (const each of own) await each.close();

    await db.command({ dropIndexes: 'items', index: '*' });
    const again = await MongoClient.connect(uriOf(program), { maxPoolSize: 2 });
    const crashing = new Writers(
      [again.db('bench').collection<Item>('items')],
      documents,
      documents * 4,
    );
    crashing.phase = 'killed';
    const doomed = db.command({ createIndexes: 'items', indexes: INDEXES }).catch(() => undefined);
    for (;;) {
      const shown = await progressOf(client);
      const { done = 0, total = 1 } = (shown?.['progress'] ?? {}) as {
        done?: number;
        total?: number;
      };
      if (Number(done) > Number(total) / 3) break;
      await pause(50);
    }
    await program.kill();
    await Promise.all([doomed, crashing.stop()]);
    await client.close().catch(() => undefined);
    await again.close().catch(() => undefined);
    program = await Program.start({ dbpath, readyTimeoutMs: 120_000 });
    client = await MongoClient.connect(uriOf(program));
    db = client.db('bench');
    const names = (await db.collection('items').listIndexes().toArray()).map(
      ({ name }) => name as string,
    );
    check(
      names.join() === '_id_',
      `indexes after kill -9 in the middle of the build: ${names.join()}`,
    );
    await validated(db, 'after the restart', check);
    await db.command({ createIndexes: 'items', indexes: INDEXES });
    await validated(db, 'after the build that was begun again', check);
  } finally {
    await client.close().catch(() => undefined);
    await program.kill().catch(() => undefined);
    removeTemporaryDirectory(dbpath);
  }
  return failures.length === 0;
}
