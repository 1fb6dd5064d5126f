/**
 * The soak's load generator, a process of its own: loads the data, then keeps every connection busy with the mix until its time is over.
 *
 * Called with LoadOptions as JSON; prints one Interval as JSON per line and second. Ids live in a window that inserts push forward and
 * deletes from behind, so that the data keeps its size. Most operations go to the youngest tenth of the ids: a working set that
 * fits the cache, in data that does not.
 */
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from '../../bench/load/histogram.ts';
import {
  createIndexesTemplate,
  DOCUMENT_BYTES,
  insertManyTemplate,
  largeTemplates,
  LARGE_DOCUMENTS,
  MIX,
  operationTemplates,
  READS,
  type OperationName,
  type SmallOperation,
  type Template,
  WRITTEN_BYTES,
} from './messages.ts';
import type { Interval, Latencies, LoadOptions } from './interval.ts';

const options: LoadOptions = JSON.parse(process.argv[2] ?? '');
const INTERVAL_MS = 1000;
const LOAD_BATCH = 1000;
const LOAD_CONNECTIONS = 4;
const HOT_PART = 0.1;
const HOT_SHARE = 0.9;
/** Ids so near to the ends of the window may just be inserted or deleted. */
const MARGIN = 1000;
const MOST_NUMBER = 2 ** 31 - 1;

/** Element `ok` of type double with the value 1. */
const OK_ELEMENT = Buffer.from([1, 0x6f, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
/** In the end of a reply so many bytes are looked through. */
const REPLY_END_BYTES = 256;

const NAMES = Object.keys(MIX) as OperationName[];
const mixture: Readonly<Record<string, number>> = options.mix ?? MIX;

let answeredAtMs = performance.now();

/** What happened since the interval began. */
class Counters {
  operations: Record<string, number> = {};
  writtenBytes = 0;
  readonly reads = new LatencyHistogram();
  readonly writes = new LatencyHistogram();
  mostReadUs = 0;
  mostWriteUs = 0;
  longestGapMs = 0;

  note(name: OperationName, tookUs: number): void {
    const nowMs = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - answeredAtMs);
    answeredAtMs = nowMs;
    this.operations[name] = (this.operations[name] ?? 0) + 1;
    this.writtenBytes += WRITTEN_BYTES[name];
    if (READS.has(name)) {
      this.reads.record(tookUs);
      this.mostReadUs = Math.max(this.mostReadUs, tookUs);
    } else {
      this.writes.record(tookUs);
      this.mostWriteUs = Math.max(this.mostWriteUs, tookUs);
    }
  }
}

let counters = new Counters();
let intervalBeganMs = performance.now();

function report(phase: Interval['phase']): void {
  const nowMs = performance.now();
  const { operations, writtenBytes, reads, writes, mostReadUs, mostWriteUs } = counters;
  const { longestGapMs } = counters;
  const interval: Interval = {
    phase,
    seconds: (nowMs - intervalBeganMs) / 1000,
    operations,
    writtenBytes,
    reads: latenciesOf(reads, mostReadUs),
    writes: latenciesOf(writes, mostWriteUs),
    longestGapMs,
  };
  counters = new Counters();
  intervalBeganMs = nowMs;
  process.stdout.write(`${JSON.stringify(interval)}\n`);
}

function latenciesOf(histogram: LatencyHistogram, mostUs: number): Latencies {
  return {
    p50Us: histogram.percentile(0.5),
    p99Us: histogram.percentile(0.99),
    p999Us: histogram.percentile(0.999),
    mostUs,
  };
}

/** One connection with one operation in flight. */
class LoadConnection {
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private answered: (() => void) | undefined;
  private isClosed = false;

  constructor() {
    this.socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
    this.socket.on('data', (data: Buffer) => this.receive(data));
    this.socket.on('error', fail);
    this.socket.on('close', () => {
      if (!this.isClosed) fail(new Error('the server closed a connection'));
    });
  }

  /** Sends a message that stays as it is until the answer. */
  ask(message: Buffer): Promise<void> {
    this.socket.write(message);
    return new Promise((resolve) => {
      this.answered = resolve;
    });
  }

  close(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  private receive(data: Buffer): void {
    this.received = this.received.length === 0 ? data : Buffer.concat([this.received, data]);
    if (this.received.length < 4 || this.received.length < this.received.readInt32LE(0)) return;
    const reply = this.received;
    this.received = Buffer.alloc(0);
    check(reply);
    this.answered?.();
  }
}

function check(reply: Buffer): void {
  const end = reply.subarray(-REPLY_END_BYTES);
  const isRefused = reply.length <= REPLY_END_BYTES && reply.includes('writeErrors');
  if (end.includes(OK_ELEMENT) && !isRefused) return;
  fail(new Error(`unexpected reply: ${reply.toString('latin1').replace(/[^ -~]+/g, ' ')}`));
}

/** Of the ids in use: from `first` on, below `end`. */
const window = { first: 0, end: 0 };

function drawId(): number {
  const size = window.end - window.first - 2 * MARGIN;
  const hot = Math.floor(size * HOT_PART);
  const fromEnd =
    Math.random() < HOT_SHARE ? Math.random() * hot : hot + Math.random() * (size - hot);
  return window.end - MARGIN - 1 - Math.floor(fromEnd);
}

/** The same number for an id whenever it is asked: the first value of an indexed field. */
function scattered(id: number): number {
  return Math.imul(id, 0x9e37_79b1) >>> 1;
}

function anyNumber(): number {
  return Math.floor(Math.random() * MOST_NUMBER);
}

const CUMULATED = NAMES.map((_, index) =>
  NAMES.slice(0, index + 1).reduce((sum, name) => sum + (mixture[name] ?? 0), 0),
);

function drawOperation(): OperationName {
  const drawn = Math.random() * CUMULATED[CUMULATED.length - 1];
  return NAMES[CUMULATED.findIndex((most) => drawn < most)];
}

let large: readonly Template[] | undefined;

function messageFor(
  name: OperationName,
  templates: Readonly<Record<SmallOperation, Template>>,
): Buffer {
  switch (name) {
    case 'insert':
      window.end += 1;
      return templates.insert.fill(window.end - 1, scattered);
    case 'delete':
      window.first += 1;
      return templates.delete.fill(window.first - 1, anyNumber);
    case 'replaceLarge': {
      large ??= largeTemplates();
      const template = large[Math.floor(Math.random() * large.length)];
      return Buffer.from(template.fill(Math.floor(Math.random() * LARGE_DOCUMENTS), anyNumber));
    }
    case 'find':
    case 'update':
    case 'range':
    case 'group':
      return templates[name].fill(drawId(), anyNumber);
  }
}

async function load(): Promise<void> {
  const first = new LoadConnection();
  await first.ask(createIndexesTemplate().fill(0, scattered));
  first.close();
  const lane = async (): Promise<void> => {
    const connection = new LoadConnection();
    const template = insertManyTemplate(LOAD_BATCH);
    while (window.end < options.documents) {
      const id = window.end;
      window.end += LOAD_BATCH;
      const beganMs = performance.now();
      await connection.ask(template.fill(id, scattered));
      counters.note('insert', (performance.now() - beganMs) * 1000);
      counters.writtenBytes += (LOAD_BATCH - 1) * DOCUMENT_BYTES;
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: LOAD_CONNECTIONS }, lane));
}

async function mix(untilMs: number): Promise<void> {
  const lane = async (): Promise<void> => {
    const connection = new LoadConnection();
    const templates = operationTemplates();
    while (performance.now() < untilMs) {
      const name = drawOperation();
      const beganMs = performance.now();
      await connection.ask(messageFor(name, templates));
      counters.note(name, (performance.now() - beganMs) * 1000);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: options.connections }, lane));
}

function fail(error: Error): never {
  process.stderr.write(`soak load: ${error.stack ?? error.message}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  let phase: Interval['phase'] = 'load';
  const timer = setInterval(() => report(phase), INTERVAL_MS);
  await load();
  report(phase);
  phase = 'mix';
  answeredAtMs = performance.now();
  await mix(performance.now() + options.seconds * 1000);
  clearInterval(timer);
  report(phase);
  process.exit(0);
}

main().catch(fail);
