/**
 * The load generator: a process of its own that sends prepared messages over many connections and reads of each reply
 * only its length and its `ok`.
 *
 * Question: what does the server do per second, and what does one operation cost it? So the generator must cost less
 * than the server: no parsing, no allocation, no promise per operation, one shared read buffer.
 * Estimate beforehand: 6-8 us of CPU per operation, mostly the two system calls.
 * Called by bench/load/run.ts with LoadOptions as JSON; prints a LoadResult as JSON.
 */
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from './histogram.ts';
import type { LoadOptions, LoadResult } from './load.ts';
import {
  patchIds,
  prepareFind,
  prepareInsert,
  prepareInsertMany,
  prepareScan,
  type PreparedMessage,
} from './prepared.ts';
import { processCpuUs } from './process-cpu.ts';
import { ReplyCheck } from './reply-check.ts';

const options: LoadOptions = JSON.parse(process.argv[2] ?? '');
const READ_BUFFER_BYTES = 256 * 1024;

function prepare(): PreparedMessage {
  switch (options.operation) {
    case 'find':
      return prepareFind(options.collection);
    case 'insert':
      return prepareInsert(options.collection, false);
    case 'insertJournaled':
      return prepareInsert(options.collection, true);
    case 'insertMany':
      return prepareInsertMany(options.collection, options.batch);
    case 'scan':
      return prepareScan(options.collection);
  }
}

const READS: readonly string[] = ['find', 'scan'];
const isRead = READS.includes(options.operation);
let nextId = options.firstId;
let drawn = options.firstId;

/** Ids spread over the whole range by a multiplicative walk: cheap, and never the same twice in a row. */
function firstIdOfNext(documents: number): number {
  if (isRead) {
    drawn = (Math.imul(drawn, 1_664_525) + 1_013_904_223) >>> 0;
    return drawn % options.idsBelow;
  }
  const id = nextId;
  nextId += documents;
  return id;
}

/** What has happened since the measured time began. */
const measured = { operations: 0, documents: 0, active: false, histogram: new LatencyHistogram() };
let stopping = false;
let documentsAsked = 0;

/** One connection: `depth` operations in flight, answered in order. */
class LoadConnection {
  private readonly socket: Socket;
  private readonly prepared: PreparedMessage;
  private readonly replies = new ReplyCheck(options.operation);
  private readonly startedMs: Float64Array;
  private oldest = 0;
  private inFlight = 0;
  /** The beginning of a reply that has not arrived whole. */
  private rest: Buffer | undefined;
  private readonly ended: () => void;

  constructor(ended: () => void, connected: () => void) {
    this.prepared = prepare();
    this.ended = ended;
    this.startedMs = new Float64Array(options.depth);
    const onread = { buffer: readBuffer, callback: this.receive.bind(this) };
    this.socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true, onread });
    this.socket.on('error', fail);
    this.socket.once('connect', connected);
  }

  start(): void {
    for (let index = 0; index < options.depth; index += 1) this.sendNext(performance.now());
  }

  private sendNext(nowMs: number): void {
    const { prepared } = this;
    const isLast =
      options.stopAfterDocuments !== undefined && documentsAsked >= options.stopAfterDocuments;
    if (stopping || isLast) {
      if (this.inFlight === 0) this.finish();
      return;
    }
    patchIds(prepared, firstIdOfNext(prepared.documents));
    documentsAsked += prepared.documents;
    this.startedMs[(this.oldest + this.inFlight) % options.depth] = nowMs;
    this.inFlight += 1;
    // A message that the socket keeps must not be patched under it: rare, since one is answered before the next is sent.
    const busy = this.socket.writableLength > 0;
    this.socket.write(busy || options.depth > 1 ? Buffer.from(prepared.message) : prepared.message);
  }

  private finish(): void {
    this.socket.destroy();
    this.ended();
  }

  private receive(bytes: number, shared: Uint8Array): boolean {
    const arrived = Buffer.from(shared.buffer, shared.byteOffset, bytes);
    const data = this.rest === undefined ? arrived : Buffer.concat([this.rest, arrived]);
    let offset = 0;
    // With several operations in flight, what one chunk sets off leaves in one write.
    if (options.depth > 1) this.socket.cork();
    while (data.length - offset >= 4) {
      const length = data.readInt32LE(offset);
      if (data.length - offset < length) break;
      this.replies.check(data, offset, length);
      offset += length;
      this.complete();
    }
    if (options.depth > 1) this.socket.uncork();
    this.rest = offset === data.length ? undefined : Buffer.from(data.subarray(offset));
    return true;
  }

  private complete(): void {
    const nowMs = performance.now();
    if (measured.active) {
      measured.operations += 1;
      measured.documents += this.prepared.documents;
      measured.histogram.record((nowMs - (this.startedMs[this.oldest] ?? nowMs)) * 1000);
    }
    this.oldest = (this.oldest + 1) % options.depth;
    this.inFlight -= 1;
    this.sendNext(nowMs);
  }
}

const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

function fail(error: Error): void {
  process.stderr.write(`load generator: ${error.stack ?? error.message}\n`);
  process.exit(1);
}

interface Mark {
  readonly atMs: number;
  readonly ownCpuUs: number;
  readonly serverCpuUs: number;
}

function mark(): Mark {
  const own = process.cpuUsage();
  return {
    atMs: performance.now(),
    ownCpuUs: own.user + own.system,
    serverCpuUs: options.serverPid === undefined ? NaN : processCpuUs(options.serverPid),
  };
}

function resultBetween(from: Mark, to: Mark): LoadResult {
  const seconds = (to.atMs - from.atMs) / 1000;
  const { operations, documents, histogram } = measured;
  return {
    operations,
    documents,
    seconds,
    operationsPerSecond: operations / seconds,
    documentsPerSecond: documents / seconds,
    serverCpuUsPerOperation: (to.serverCpuUs - from.serverCpuUs) / operations,
    generatorCpuUsPerOperation: (to.ownCpuUs - from.ownCpuUs) / operations,
    generatorCpuShare: (to.ownCpuUs - from.ownCpuUs) / (seconds * 1e6),
    latencyUs: {
      p50: histogram.percentile(0.5),
      p95: histogram.percentile(0.95),
      p99: histogram.percentile(0.99),
    },
    nextId,
  };
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}

async function main(): Promise<void> {
  const ends: Promise<void>[] = [];
  const connects: Promise<void>[] = [];
  const connections: LoadConnection[] = [];
  for (let index = 0; index < options.connections; index += 1) {
    connects.push(
      new Promise((connected) => {
        ends.push(new Promise((ended) => connections.push(new LoadConnection(ended, connected))));
      }),
    );
  }
  await Promise.all(connects);
  const allEnded = Promise.all(ends);
  for (const connection of connections) connection.start();
  await pause(options.warmupSeconds);
  const from = mark();
  measured.active = true;
  await Promise.race([pause(options.seconds), allEnded]);
  measured.active = false;
  const to = mark();
  stopping = true;
  await allEnded;
  process.stdout.write(`${JSON.stringify(resultBetween(from, to))}\n`);
  process.exit(0);
}

main().catch(fail);
