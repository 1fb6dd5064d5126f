/**
 * Sends broken messages to a flintd and watches it: that it stays up, answers others meanwhile, and does not grow.
 *
 * The script (bad-input.ts, 100,000 messages) and the mocha test (bad-input.test.ts) share it.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { deserialize, serialize, type Document } from 'bson';
import { encodeOpMsg, MessageReader, parseMessage, readHeader } from '../../wire/index.ts';
import { RawClient } from '../server/raw-client.ts';
import { Program } from '../support/programs.ts';
import { brokenMessage } from '../support/wire-mutations.ts';

export interface BadInputOptions {
  readonly seed: number;
  /** Numbers of the messages: from `first`, so many. */
  readonly first: number;
  readonly count: number;
  readonly onProgress?: (line: string) => void;
}

export interface BadInputResult {
  readonly sent: number;
  /** Messages that got a reply, by "ok" or the error's codeName. */
  readonly replies: ReadonlyMap<string, number>;
  /** Messages after which the server closed the connection. */
  readonly closed: number;
  /** Messages after which nothing came: the server waits for their rest. */
  readonly unanswered: number;
  readonly healthyAnswers: number;
  readonly slowestHealthyMs: number;
  /** Resident memory by how many messages had been sent, bytes. */
  readonly residentBytes: readonly { readonly sent: number; readonly bytes: number }[];
  /** What must not be: the server went down, answered InternalError, or stopped answering the healthy connection. */
  readonly violations: readonly string[];
}

const SENDERS = 12;
/** So long a message may stay without an answer before its connection is given up. */
const PATIENCE_MS = 40;
const HEALTHY_PAUSE_MS = 10;
const HEALTHY_LIMIT_MS = 3_000;
/** Broken messages make databases and collections: they are dropped again after so many, and memory is measured. */
const HOUSEKEEPING_EVERY = 5_000;
const MARKER_ID = 0x7fff_fff0;
const KEPT_DATABASES = new Set(['admin', 'config', 'local', 'healthy']);
/** Of violations of one kind only the first are reported. */
const MOST_VIOLATIONS = 20;

export async function runBadInput(options: BadInputOptions): Promise<BadInputResult> {
  const program = await Program.start({ args: ['--quiet'] });
  try {
    const run = new BadInputRun(options, program);
    return await run.run();
  } finally {
    await program.dispose();
  }
}

class BadInputRun {
  private readonly options: BadInputOptions;
  private readonly program: Program;
  private readonly replies = new Map<string, number>();
  private readonly violations: string[] = [];
  private readonly residentBytes: { sent: number; bytes: number }[] = [];
  private next: number;
  private closed = 0;
  private unanswered = 0;
  private healthyAnswers = 0;
  private slowestHealthyMs = 0;
  private isOver = false;

  constructor(options: BadInputOptions, program: Program) {
    this.options = options;
    this.program = program;
    this.next = options.first;
  }

  async run(): Promise<BadInputResult> {
    const healthy = this.stayHealthy();
    const end = this.options.first + this.options.count;
    for (let from = this.options.first; from < end && !this.isOver; from += HOUSEKEEPING_EVERY) {
      const to = Math.min(end, from + HOUSEKEEPING_EVERY);
      await Promise.all(Array.from({ length: SENDERS }, () => this.sendUntil(to)));
      await this.keepHouse();
    }
    this.isOver = true;
    await healthy;
    return {
      sent: this.next - this.options.first,
      replies: this.replies,
      closed: this.closed,
      unanswered: this.unanswered,
      healthyAnswers: this.healthyAnswers,
      slowestHealthyMs: this.slowestHealthyMs,
      residentBytes: this.residentBytes,
      violations: this.violations,
    };
  }

  /** One sender: one message at a time, then a ping on the same connection to see what became of it. */
  private async sendUntil(end: number): Promise<void> {
    let connection: HostileConnection | undefined;
    while (this.next < end && !this.isOver) {
      const number = this.next;
      this.next += 1;
      const { bytes, how } = brokenMessage(this.options.seed, number);
      try {
        connection ??= await HostileConnection.open(this.program.port);
      } catch (error) {
        this.fail(`no connection after message ${number}: ${messageOf(error)}`);
        return;
      }
      const outcome = await connection.send(bytes);
      this.note(outcome, number, how);
      if (!outcome.isInStep) {
        connection.close();
        connection = undefined;
      }
    }
    connection?.close();
  }

  private note(outcome: Sent, number: number, how: string): void {
    if (outcome.end === 'closed') this.closed += 1;
    if (outcome.end === 'unanswered') this.unanswered += 1;
    for (const reply of outcome.replies) {
      const name =
        reply['ok'] === 1 ? 'ok' : String(reply['codeName'] ?? reply['code'] ?? 'no code');
      this.replies.set(name, (this.replies.get(name) ?? 0) + 1);
      if (name === 'InternalError') {
        this.violate(
          `message ${number} (${how}) is answered with InternalError: ${reply['errmsg']}`,
        );
      }
    }
    if (!this.program.isRunning) this.fail(`the server went down at message ${number} (${how})`);
  }

  /** Another client, which must not notice anything. */
  private async stayHealthy(): Promise<void> {
    const client = await RawClient.open(this.program.port);
    try {
      await client.run({ insert: 'items', documents: [{ _id: 1, n: 1 }], $db: 'healthy' });
      while (!this.isOver) {
        const beganMs = performance.now();
        const reply = await Promise.race([
          client.run({ find: 'items', filter: { _id: 1 }, $db: 'healthy' }),
          wait(HEALTHY_LIMIT_MS),
        ]);
        if (reply === undefined) return this.fail('the healthy connection gets no answer');
        if (reply['cursor']?.firstBatch.length !== 1)
          this.violate('the healthy connection gets a wrong answer');
        this.slowestHealthyMs = Math.max(this.slowestHealthyMs, performance.now() - beganMs);
        this.healthyAnswers += 1;
        await wait(HEALTHY_PAUSE_MS);
      }
    } catch (error) {
      this.fail(`the healthy connection was lost: ${messageOf(error)}`);
    } finally {
      client.close();
    }
  }

  private async keepHouse(): Promise<void> {
    if (this.isOver) return;
    const client = await RawClient.open(this.program.port);
    const { databases } = await client.run({ listDatabases: 1, nameOnly: true, $db: 'admin' });
    let dropped = 0;
    for (const { name } of databases) {
      if (KEPT_DATABASES.has(name)) continue;
      await client.run({ dropDatabase: 1, $db: name });
      dropped += 1;
    }
    await client.run({ fsync: 1, $db: 'admin' });
    client.close();
    const sent = this.next - this.options.first;
    const bytes = residentBytesOf(this.program.pid);
    this.residentBytes.push({ sent, bytes });
    this.options.onProgress?.(
      `${sent} messages, ${dropped} databases dropped, ${Math.round(bytes / 1024 / 1024)} MB resident`,
    );
  }

  private violate(what: string): void {
    if (this.violations.length < MOST_VIOLATIONS) this.violations.push(what);
  }

  /** Nothing can go on. */
  private fail(what: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.violations.push(`${what}; the server printed:\n${this.program.output.slice(-2_000)}`);
  }
}

interface Sent {
  readonly replies: readonly Document[];
  readonly end: 'answered' | 'closed' | 'unanswered';
  /** The connection can be used for another message. */
  readonly isInStep: boolean;
}

/** A connection that sends anything. */
class HostileConnection {
  private readonly socket: Socket;
  private reader = new MessageReader();
  private replies: Document[] = [];
  private settle: ((end: Sent['end']) => void) | undefined;
  private isClosed = false;
  private readonly marker: Buffer;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.marker = encodeOpMsg({
      requestId: MARKER_ID,
      body: Buffer.from(serialize({ ping: 1, $db: 'admin' })),
    });
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.settle?.('closed');
    });
  }

  /** Opens one and agrees to compression, so that compressed messages are looked at. */
  static async open(port: number): Promise<HostileConnection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opened = connect({ port, host: '127.0.0.1', noDelay: true });
      opened.once('error', reject);
      opened.once('connect', () => resolve(opened));
    });
    const connection = new HostileConnection(socket);
    const hello = { hello: 1, compression: ['snappy', 'zlib'], $db: 'admin' };
    await connection.send(encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(hello)) }));
    return connection;
  }

  /** Sends a message and a ping behind it. */
  async send(message: Buffer): Promise<Sent> {
    this.replies = [];
    if (this.isClosed) return { replies: [], end: 'closed', isInStep: false };
    const timer = new AbortController();
    const end = await new Promise<Sent['end']>((resolve) => {
      this.settle = resolve;
      this.socket.write(message);
      this.socket.write(this.marker);
      wait(PATIENCE_MS, undefined, { signal: timer.signal }).then(
        () => resolve('unanswered'),
        () => undefined,
      );
    });
    timer.abort();
    this.settle = undefined;
    return { replies: this.replies, end, isInStep: end === 'answered' };
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    this.reader.push(chunk);
    for (let next = this.reader.next(); next !== undefined; next = this.reader.next()) {
      if (readHeader(next).responseTo === MARKER_ID) this.settle?.('answered');
      else this.keep(next);
    }
  }

  /** Compressed replies are counted, too, but not looked into. */
  private keep(message: Buffer): void {
    try {
      const parsed = parseMessage(message);
      if (parsed.kind === 'msg') this.replies.push(deserialize(parsed.body));
      else this.replies.push({ codeName: `a reply of kind ${parsed.kind}` });
    } catch {
      this.replies.push({ codeName: 'a compressed reply' });
    }
  }
}

/** Memory of a process as the system counts it. */
function residentBytesOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
