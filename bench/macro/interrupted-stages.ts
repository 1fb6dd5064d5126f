/**
 * Question: how late does a stage or an operator end, when it is told to in whatever it is doing just then? And how long do others wait
 * beside it?
 *
 * Each runs again and again and is ended at moments from its beginning to its end, so that the end falls into planning, reading,
 * sorting, spilling and giving out: by maxTimeMS, by killOp, and by the end of its client's connection. The overrun is what the answer
 * comes later than its limit, than killOp was sent, than the connection was closed. Meanwhile another client asks for a document by
 * `_id`, one at a time.
 * Estimate beforehand: a yield every 2 ms and a turn of the event loop: below 20 ms. Floors: 100 ms; the finds 50 ms at p99.
 */
import { parseArgs } from 'node:util';
import { type Collection, type Db, type Document, MongoClient, MongoServerError } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const BATCH = 10_000;
const FLOOR_MS = 100;
const FLOOR_P99_MS = 50;
/** So long the finds run without anything beside them: what the machine itself adds. */
const ALONE_MS = 3000;
const DATABASE = 'bench';
const MAX_TIME_MS_EXPIRED = 50;
const INTERRUPTED = 11_601;

const PIPELINES: Readonly<Record<string, readonly Document[]>> = {
  $group: [{ $group: { _id: '$n', count: { $sum: 1 } } }, { $count: 'n' }],
  '$group with $push': [{ $group: { _id: '$g', all: { $push: '$n' } } }, { $count: 'n' }],
  '$group with $addToSet': [{ $group: { _id: '$g', all: { $addToSet: '$n' } } }, { $count: 'n' }],
  $sort: [{ $sort: { text: -1 } }, { $count: 'n' }],
  '$setWindowFields, one partition': [
    {
      $setWindowFields: {
        sortBy: { n: -1 },
        output: { sum: { $sum: '$n', window: { documents: [-10, 10] } }, rank: { $rank: {} } },
      },
    },
    { $count: 'n' },
  ],
  '$setWindowFields, many': [
    { $setWindowFields: { partitionBy: '$g', sortBy: { n: 1 }, output: { sum: { $sum: '$n' } } } },
    { $count: 'n' },
  ],
  $graphLookup: [
    { $match: { n: { $lt: 10 } } },
    {
      $graphLookup: {
        from: 'docs',
        startWith: '$next',
        connectFromField: 'next',
        connectToField: '_id',
        as: 'chain',
        maxDepth: 3000,
      },
    },
    { $project: { length: { $size: '$chain' } } },
  ],
  $facet: [
    {
      $facet: {
        groups: [{ $group: { _id: '$g', count: { $sum: 1 } } }],
        first: [{ $sort: { text: 1 } }, { $limit: 10 }],
        buckets: [{ $bucketAuto: { groupBy: '$n', buckets: 20 } }],
      },
    },
  ],
  $bucketAuto: [{ $bucketAuto: { groupBy: '$text', buckets: 50 } }],
  '$lookup without index': [
    { $match: { n: { $lt: 100 } } },
    { $lookup: { from: 'docs', localField: 'n', foreignField: 'g', as: 'same' } },
    { $project: { size: { $size: '$same' } } },
  ],
};

/** On one document: numbers `n`, half of them again as `m`, documents `d`, a text `t`, and one of the letter a, `a`. */
const OPERATORS: Readonly<Record<string, Document>> = {
  $setUnion: { $setUnion: ['$n', '$m'] },
  $setIntersection: { $setIntersection: ['$n', '$m'] },
  $setDifference: { $setDifference: ['$n', '$m'] },
  $setIsSubset: { $setIsSubset: ['$m', '$n'] },
  $zip: { $zip: { inputs: ['$n', '$m'] } },
  $sortArray: { $sortArray: { input: '$n', sortBy: 1 } },
  '$sortArray of documents': { $sortArray: { input: '$d', sortBy: { x: 1 } } },
  $concatArrays: { $concatArrays: ['$n', '$m'] },
  $reverseArray: { $reverseArray: '$n' },
  $range: { $range: [0, 4_000_000] },
  $map: { $map: { input: '$n', in: { $add: ['$$this', 1] } } },
  $reduce: { $reduce: { input: '$n', initialValue: 0, in: { $add: ['$$value', '$$this'] } } },
  $indexOfArray: { $indexOfArray: ['$n', 'nowhere'] },
  '$in, not a constant list': { $in: ['nowhere', '$n'] },
  $maxN: { $maxN: { input: '$n', n: 5 } },
  $median: { $median: { input: '$n', method: 'approximate' } },
  'a path through an array': { $size: '$d.x' },
  $replaceAll: { $replaceAll: { input: '$t', find: ',', replacement: ';' } },
  $split: { $size: { $split: ['$t', 'ab,ab,'] } },
  $strLenCP: { $strLenCP: '$t' },
  $indexOfCP: { $indexOfCP: ['$t', 'nowhere'] },
  $toUpper: { $toUpper: '$t' },
  $trim: { $trim: { input: '$t' } },
  $regexFindAll: { $size: { $regexFindAll: { input: '$t', regex: 'ab,'.repeat(12) } } },
  '$regexMatch that may not backtrack': { $regexMatch: { input: '$a', regex: '(a|aa)+b' } },
};

const MANY = Array.from({ length: 500_000 }, (_, index) => (index * 7919) % 1_000_003);
const FILTERS: Readonly<Record<string, Document>> = {
  'a filter by a pattern that may not backtrack': { a: /(a|aa)+b/ },
  '$in of 500,000 numbers': { n: { $in: MANY } },
  '$in of 500,000 texts': { t: { $in: MANY.map((number) => `t${number}`) } },
  '$or of 10,000 branches': { $or: MANY.slice(0, 10_000).map((n) => ({ n, g: n % 1000 })) },
};

type Run = (client: MongoClient, options: Document) => Promise<unknown>;

interface Subject {
  readonly name: string;
  readonly run: Run;
}

function subjects(): Subject[] {
  const on = (collection: string, pipeline: readonly Document[]): Run => {
    return (client, options) =>
      client
        .db(DATABASE)
        .collection(collection)
        .aggregate([...pipeline], options)
        .toArray();
  };
  const all: Subject[] = [];
  for (const [name, pipeline] of Object.entries(PIPELINES)) {
    all.push({ name, run: on('docs', pipeline) });
  }
  for (const [name, expression] of Object.entries(OPERATORS)) {
    const field = ['n', 'd', 't', 'a'].find((each) =>
      JSON.stringify(expression).includes(`"$${each}`),
    );
    const one = field === undefined ? { $limit: 1 } : { $match: { [field]: { $exists: true } } };
    all.push({ name, run: on('large', [one, { $project: { r: { $type: expression } } }]) });
  }
  for (const [name, filter] of Object.entries(FILTERS)) {
    const collection = 'a' in filter ? 'large' : 'docs';
    all.push({
      name,
      run: (client, options) =>
        client.db(DATABASE).collection(collection).find(filter, options).toArray(),
    });
  }
  return all;
}

/**
 * @param args --documents 200000 --moments 8 (of each kind of end) --only TEXT.
 * @returns whether every overrun, and the finds beside, are below their floors.
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string', default: '200000' },
      moments: { type: 'string', default: '8' },
      only: { type: 'string', default: '' },
    },
  });
  printMachine();
  const server = await Program.start({});
  const client = await MongoClient.connect(server.uri);
  try {
    const db = client.db(DATABASE);
    await load(db, Number(values.documents));
    await client.db('admin').command({ fsync: 1 });
    const bench = new Interruptions(server.uri, client, Number(values.moments));
    const alone = new FindsBeside(server.uri);
    await new Promise((resolve) => setTimeout(resolve, ALONE_MS));
    const aloneMs = await alone.end();
    const rows: string[][] = [['nothing', '', '', '', '', '', aloneMs.toFixed(0), '']];
    let holds = true;
    for (const subject of subjects()) {
      if (!subject.name.includes(values.only)) continue;
      const outcome = await bench.measure(subject);
      holds &&= outcome.holds;
      rows.push([subject.name, ...outcome.shown, outcome.holds ? 'ok' : 'too late']);
    }
    printTable(
      ['what', 'whole ms', 'ended', 'maxTimeMS ms', 'killOp ms', 'drop ms', 'finds p99 ms', ''],
      rows,
    );
    return holds;
  } finally {
    await client.close();
    await server.dispose();
  }
}

async function load(db: Db, count: number): Promise<void> {
  const docs: Collection = db.collection('docs');
  for (let first = 0; first < count; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) => {
      const n = first + index;
      const text = `${(n * 7919) % count}-${'x'.repeat(60)}`;
      return { _id: n as never, n, g: n % 1000, next: n + 1, text };
    });
    await docs.insertMany(batch);
  }
  await docs.createIndexes([{ key: { n: 1 } }, { key: { g: 1 } }]);
  const numbers = Array.from({ length: 500_000 }, (_, index) => (index * 7919) % 500_000);
  await db
    .collection('large')
    .insertMany([
      { n: numbers, m: numbers.slice(0, 250_000) },
      { t: 'ab,'.repeat(5_000_000) },
      { d: numbers.slice(0, 300_000).map((x) => ({ x, y: -x })) },
      { a: 'a'.repeat(800_000) },
    ]);
}

interface Outcome {
  readonly holds: boolean;
  readonly shown: readonly string[];
}

/** Ends runs, and notes how late they end. */
class Interruptions {
  private readonly uri: string;
  private readonly client: MongoClient;
  private readonly moments: number;
  private runs = 0;

  constructor(uri: string, client: MongoClient, moments: number) {
    this.uri = uri;
    this.client = client;
    this.moments = moments;
  }

  async measure({ run: start }: Subject): Promise<Outcome> {
    const began = performance.now();
    await start(this.client, {}).catch(expectRefusal);
    const wholeMs = performance.now() - began;
    const beside = new FindsBeside(this.uri);
    const limit = await this.worst(wholeMs, (afterMs) => this.byLimit(start, afterMs));
    const kill = await this.worst(wholeMs, (afterMs) => this.byKill(start, afterMs));
    const drop = await this.worst(wholeMs, (afterMs) => this.byDrop(start, afterMs));
    const p99Ms = await beside.end();
    const worstMs = Math.max(limit.worstMs, kill.worstMs, drop.worstMs);
    return {
      holds: worstMs <= FLOOR_MS && p99Ms <= FLOOR_P99_MS,
      shown: [
        formatNumber(wholeMs),
        `${limit.ended}+${kill.ended}+${drop.ended}`,
        ...[limit.worstMs, kill.worstMs, drop.worstMs, p99Ms].map((ms) => ms.toFixed(0)),
      ],
    };
  }

  private async worst(
    wholeMs: number,
    end: (afterMs: number) => Promise<number | undefined>,
  ): Promise<{ worstMs: number; ended: number }> {
    let worstMs = 0;
    let ended = 0;
    for (let step = 1; step <= this.moments; step += 1) {
      const overrunMs = await end(Math.max(1, Math.round((wholeMs * step) / (this.moments + 1))));
      if (overrunMs === undefined) continue;
      ended += 1;
      worstMs = Math.max(worstMs, overrunMs);
    }
    return { worstMs, ended };
  }

  /** @returns undefined when it came to its own end before. */
  private async byLimit(start: Run, maxTimeMS: number): Promise<number | undefined> {
    const began = performance.now();
    const code = await codeOf(start(this.client, { maxTimeMS }));
    return code === MAX_TIME_MS_EXPIRED ? performance.now() - began - maxTimeMS : undefined;
  }

  private async byKill(start: Run, afterMs: number): Promise<number | undefined> {
    const comment = this.nextComment();
    const running = codeOf(start(this.client, { comment }));
    const op = await this.opWith(comment, afterMs);
    if (op === undefined) {
      await running;
      return undefined;
    }
    const began = performance.now();
    await this.client.db('admin').command({ killOp: 1, op });
    return (await running) === INTERRUPTED ? performance.now() - began : undefined;
  }

  /** Until the operation is gone from currentOp: its client cannot tell. */
  private async byDrop(start: Run, afterMs: number): Promise<number | undefined> {
    const comment = this.nextComment();
    const leaving = await MongoClient.connect(this.uri, { retryReads: false });
    const running = codeOf(start(leaving, { comment }));
    const op = await this.opWith(comment, afterMs);
    const began = performance.now();
    await leaving.close(true);
    await running;
    if (op === undefined) return undefined;
    while ((await this.opWith(comment, 0)) !== undefined);
    return performance.now() - began;
  }

  private nextComment(): string {
    this.runs += 1;
    return `run ${this.runs}`;
  }

  /** The operation's number, once it has run for so long; undefined when it is not there then. */
  private async opWith(comment: string, afterMs: number): Promise<unknown> {
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
    const pipeline = [{ $currentOp: {} }, { $match: { 'command.comment': comment } }];
    const [found] = await this.client.db('admin').aggregate(pipeline).toArray();
    return found?.['opid'];
  }
}

/** A client that asks for documents by `_id`, one after the other, from its beginning to its end. */
class FindsBeside {
  private readonly tookMs: number[] = [];
  private readonly asking: Promise<void>;
  private shallEnd = false;

  constructor(uri: string) {
    this.asking = this.ask(uri);
  }

  private async ask(uri: string): Promise<void> {
    const client = await MongoClient.connect(uri);
    const docs = client.db(DATABASE).collection<{ _id: number }>('docs');
    for (let id = 7; !this.shallEnd; id = (id * 7919 + 11) % 1000) {
      const began = performance.now();
      await docs.findOne({ _id: id });
      this.tookMs.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await client.close();
  }

  /** @returns what 99 of 100 finds took at most, milliseconds. */
  async end(): Promise<number> {
    this.shallEnd = true;
    await this.asking;
    const sorted = this.tookMs.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }
}

/** How a run ended; undefined: with its result. */
function codeOf(running: Promise<unknown>): Promise<number | undefined> {
  return running.then(
    () => undefined,
    (error: unknown) => (error instanceof MongoServerError ? Number(error.code) : -1),
  );
}

/** Some patterns are refused in the end: what counts is how long they take until then. */
function expectRefusal(error: unknown): void {
  if (!(error instanceof MongoServerError) || error.code !== 51_156) throw error;
}
