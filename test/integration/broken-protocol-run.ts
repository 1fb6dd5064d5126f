/**
 * Breaks each rule of the protocol on a connection of its own, while a healthy client measures how long it waits.
 *
 * The script (broken-protocol.ts) and the mocha test share it.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { deserialize, serialize } from 'bson';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startJob } from '../../common/workers/start-job.ts';
import { decompressMessage, encodeOpMsg, MessageReader, parseMessage } from '../../wire/index.ts';
import { Program } from '../support/programs.ts';
import type { Expected, ProtocolRule } from '../support/protocol-rules.ts';

export interface RuleResult {
  readonly rule: ProtocolRule;
  readonly outcome: Expected | 'no answer';
  /** From the last byte sent to the answer. */
  readonly elapsedMs: number;
  readonly isRight: boolean;
}

export interface BrokenProtocolResult {
  readonly rules: readonly RuleResult[];
  readonly healthy: HealthyReport;
  /** What must not be, besides wrong outcomes. */
  readonly violations: readonly string[];
}

/** What the healthy client saw. */
export interface HealthyReport {
  readonly answers: number;
  readonly slowestMs: number;
  /** The same from a server beside it that nobody attacks: what the machine is to blame for. */
  readonly slowestElsewhereMs: number;
  readonly failure?: string;
}

/** Deadlines of the server under test, milliseconds: slow clients are met within seconds. */
const DEADLINE_MS = 600;
const DEADLINES = [
  'connectionHandshakeTimeoutMillis',
  'partialMessageTimeoutMillis',
  'connectionIdleTimeoutMillis',
];

function argumentsFor(deadlineMs: number): string[] {
  const parameters = DEADLINES.map((name) => `${name}=${deadlineMs}`);
  parameters.push(`unreadReplyTimeoutMillis=${DEADLINE_MS}`);
  return ['--testing', ...parameters.flatMap((parameter) => ['--setParameter', parameter])];
}
const PATIENCE_MS = 12_000;
const MARKER_ID = 0x7abc_def0;

/**
 * @param deadlineMs of the server, for what a client sends
 * @param atOnce connections that break a rule at the same time
 */
export async function runBrokenProtocol(
  rules: readonly ProtocolRule[],
  deadlineMs = DEADLINE_MS,
  atOnce = 1,
): Promise<BrokenProtocolResult> {
  const program = await Program.start({ args: argumentsFor(deadlineMs) });
  const elsewhere = await Program.start({ args: argumentsFor(deadlineMs) });
  const violations: string[] = [];
  const healthy = await HealthyClient.start([program.port, elsewhere.port]);
  const results: RuleResult[] = [];
  try {
    const queue = [...rules];
    const takeRules = async (): Promise<void> => {
      for (let rule = queue.shift(); rule !== undefined; rule = queue.shift()) {
        results.push(await breakRule(rule, program.port));
        if (program.isRunning) continue;
        violations.push(`the server went down at "${rule.family}: ${rule.name}"`);
        return;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, takeRules));
    const report = await healthy.stop();
    if (report.failure !== undefined) violations.push(`the healthy client: ${report.failure}`);
    return { rules: results, healthy: report, violations };
  } finally {
    await healthy.end();
    await program.dispose();
    await elsewhere.dispose();
  }
}

async function breakRule(rule: ProtocolRule, port: number): Promise<RuleResult> {
  const connection = await RuleConnection.open(port);
  try {
    if (rule.compressors !== undefined) await connection.agree(rule.compressors);
    if (rule.readsNothing === true) connection.stopReading();
    for (const [index, chunk] of rule.chunks.entries()) {
      if (index > 0 && rule.pauseMs !== undefined) await wait(rule.pauseMs);
      if (!connection.write(chunk)) break;
    }
    const sentMs = performance.now();
    const outcome = await connection.outcome(rule);
    const elapsedMs = performance.now() - sentMs;
    return { rule, outcome, elapsedMs, isRight: outcome === rule.expected };
  } finally {
    connection.close();
  }
}

class RuleConnection {
  private readonly socket: Socket;
  private readonly reader = new MessageReader();
  private readonly arrived: Buffer[] = [];
  private wake: (() => void) | undefined;
  private isClosed = false;
  private text = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.wake?.();
    });
  }

  static open(port: number): Promise<RuleConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RuleConnection(socket)));
    });
  }

  async agree(compressors: readonly string[]): Promise<void> {
    const hello = { hello: 1, compression: compressors, $db: 'admin' };
    this.write(encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(hello)) }));
    await this.next();
    this.arrived.shift();
  }

  /** The socket is paused: replies stay with the system, and then with the server. */
  stopReading(): void {
    this.socket.pause();
  }

  /** @returns false once the server has closed the connection. */
  write(chunk: Buffer): boolean {
    if (!this.isClosed) this.socket.write(chunk);
    return !this.isClosed;
  }

  async outcome(rule: ProtocolRule): Promise<RuleResult['outcome']> {
    if (rule.readsNothing === true) return this.closedWithoutReading();
    const expectsClose = rule.expected === 'closed' || rule.expected === 'http';
    await this.next();
    // What is whole before the broken part is answered first.
    if (expectsClose) {
      while (!this.isClosed && this.arrived.length < rule.chunks.length) {
        this.arrived.length = 0;
        if (!(await this.next())) return 'no answer';
      }
      if (this.text.startsWith('HTTP/')) return 'http';
      if (this.isClosed) return 'closed';
    }
    const first = this.arrived.shift();
    if (first === undefined) return this.isClosed ? 'closed' : 'no answer';
    const outcome = await resultOf(first);
    return (await this.stillServes()) ? outcome : 'closed';
  }

  close(): void {
    this.socket.destroy();
  }

  private async closedWithoutReading(): Promise<RuleResult['outcome']> {
    const endMs = performance.now() + PATIENCE_MS;
    while (performance.now() < endMs) {
      // A paused socket does not notice its end; writing to it does.
      if (this.isClosed || this.socket.destroyed) return 'closed';
      this.socket.write(Buffer.of(0));
      await wait(50);
    }
    return 'no answer';
  }

  private async stillServes(): Promise<boolean> {
    const ping = Buffer.from(serialize({ ping: 1, $db: 'admin' }));
    this.write(encodeOpMsg({ requestId: MARKER_ID, body: ping }));
    if (!(await this.next())) return false;
    const reply = this.arrived.shift();
    return reply !== undefined && (await resultOf(reply)) === 'ok';
  }

  /** Waits for a message or the end. @returns false when neither comes. */
  private async next(): Promise<boolean> {
    if (this.arrived.length > 0 || this.isClosed) return true;
    const timer = new AbortController();
    const came = new Promise<boolean>((resolve) => (this.wake = () => resolve(true)));
    const late = wait(PATIENCE_MS, false, { signal: timer.signal }).catch(() => false);
    const result = await Promise.race([came, late]);
    timer.abort();
    return result;
  }

  private receive(chunk: Buffer): void {
    if (this.text !== '' || chunk.toString('latin1', 0, 5) === 'HTTP/') {
      this.text += chunk.toString('latin1');
      return;
    }
    this.reader.push(chunk);
    for (let next = this.reader.next(); next !== undefined; next = this.reader.next()) {
      this.arrived.push(next);
    }
    this.wake?.();
  }
}

async function resultOf(reply: Buffer): Promise<Expected> {
  const parsed = parseMessage((await decompressMessage(reply)).message);
  const body =
    parsed.kind === 'reply' ? parsed.documents[0] : parsed.kind === 'msg' ? parsed.body : undefined;
  if (body === undefined) return 'closed';
  const document = deserialize(body);
  return document['ok'] === 1 ? 'ok' : Number(document['code'] ?? -1);
}

/** In a thread of its own: what this one is busy with must not count as the server's. */
class HealthyClient {
  private readonly worker: Worker;
  private readonly report: Promise<HealthyReport>;

  private constructor(worker: Worker) {
    this.worker = worker;
    this.report = new Promise((resolve) => {
      worker.on('message', (message: HealthyReport | 'ready') => {
        if (message !== 'ready') resolve(message);
      });
      worker.on('error', (error) =>
        resolve({
          answers: 0,
          slowestMs: Infinity,
          slowestElsewhereMs: 0,
          failure: String(error),
        }),
      );
    });
  }

  static async start(ports: readonly number[]): Promise<HealthyClient> {
    const worker = startJob(jobUrl(import.meta.url, './healthy-client.job'), {
      workerData: { ports },
    });
    const client = new HealthyClient(worker);
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return client;
  }

  stop(): Promise<HealthyReport> {
    this.worker.postMessage('stop');
    return this.report;
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
