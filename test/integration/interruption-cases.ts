/**
 * What ends a running operation, and what ends a connection that keeps the server waiting: how long it takes, and what is left.
 *
 * The script (interruption.ts, a million documents) and the mocha test (interrupted-scans.test.ts) share it.
 */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { Long, type Document } from 'bson';
import { RawClient } from '../server/raw-client.ts';
import { Program, type Exit } from '../support/programs.ts';

/** A command that looks at every document of the collection. */
export interface Scan {
  readonly title: string;
  readonly command: Document;
}

const DATABASE = 'large';
const COLLECTION = 'documents';
const INSERT_BATCH = 1_000;
/** The pattern backtracks over this text: each letter more makes a document 1.6 times as dear. */
const SLOW_PATTERN = '^(a|aa)+$';
/** Letters, so that a scan of all documents takes some seconds. */
const LETTERS_FOR = { million: 13, less: 18 } as const;
const LARGE_DOCUMENT_BYTES = 1024 * 1024;
const LARGE_DOCUMENTS = 100;
/** The deadlines of connections are lowered to this. */
const DEADLINE_MS = 300;
/** So long an operation must have run before it is interrupted. */
const RUNNING_MICROS = 50_000;
const GIVE_UP_MS = 10_000;

const slow = { text: { $regex: SLOW_PATTERN } } as const;

export const SCANS: readonly Scan[] = [
  { title: 'find', command: { find: COLLECTION, filter: slow } },
  { title: 'find with sort', command: { find: COLLECTION, filter: slow, sort: { n: -1 } } },
  { title: 'count', command: { count: COLLECTION, query: slow } },
  { title: 'distinct', command: { distinct: COLLECTION, key: 'n', query: slow } },
  {
    title: 'aggregate',
    command: {
      aggregate: COLLECTION,
      pipeline: [{ $match: slow }, { $group: { _id: '$n', count: { $sum: 1 } } }],
      cursor: {},
    },
  },
  {
    title: 'update of many',
    command: { update: COLLECTION, updates: [{ q: slow, u: { $set: { n: 0 } }, multi: true }] },
  },
  { title: 'delete of many', command: { delete: COLLECTION, deletes: [{ q: slow, limit: 0 }] } },
  {
    title: 'findAndModify',
    command: { findAndModify: COLLECTION, query: slow, update: { $set: { n: 0 } } },
  },
];

/** Commands that are long only because there are many documents: too short on few to be caught running. */
export const LONG_ON_MANY: readonly Scan[] = [
  {
    title: 'createIndexes',
    command: { createIndexes: COLLECTION, indexes: [{ key: { text: 1, n: -1 }, name: 'text_n' }] },
  },
  { title: 'validate', command: { validate: COLLECTION, full: true } },
];

export class InterruptionCases {
  private readonly program: Program;
  private readonly control: RawClient;
  private markers = 0;
  private idle: Held = { operations: 0, cursors: 0, snapshots: 0, connections: 0, bytes: 0 };

  static async start(documents: number): Promise<InterruptionCases> {
    const program = await Program.start();
    try {
      const cases = new InterruptionCases(program, await RawClient.open(program.port));
      await cases.fill(documents);
      await cases.lowerDeadlines();
      cases.idle = await cases.held();
      return cases;
    } catch (error) {
      await program.dispose();
      throw error;
    }
  }

  private constructor(program: Program, control: RawClient) {
    this.program = program;
    this.control = control;
  }

  async dispose(): Promise<void> {
    this.control.close();
    await this.program.dispose();
  }

  /** @returns milliseconds from killOp to the error reply. */
  async killOp(scan: Scan): Promise<number> {
    const victim = await this.begin(scan);
    const beganMs = performance.now();
    await this.admin({ killOp: 1, op: victim.opid });
    const reply = await victim.client.reply();
    const tookMs = performance.now() - beganMs;
    victim.client.close();
    assert.equal(reply.document['codeName'], 'Interrupted');
    return tookMs;
  }

  /** @returns milliseconds from the end of maxTimeMS to the error reply. */
  async maxTimeMS(scan: Scan): Promise<number> {
    const client = await RawClient.open(this.program.port);
    const maxTimeMS = 200;
    const beganMs = performance.now();
    const reply = await client.run({ ...scan.command, maxTimeMS, $db: DATABASE });
    const tookMs = performance.now() - beganMs;
    client.close();
    assert.equal(reply['codeName'], 'MaxTimeMSExpired', JSON.stringify(reply));
    return tookMs - maxTimeMS;
  }

  /** @returns milliseconds from the end of the client until currentOp does not show the operation any more. */
  async vanishedClient(scan: Scan): Promise<number> {
    const victim = await this.begin(scan);
    const beganMs = performance.now();
    victim.client.close();
    while ((await this.running(victim.marker)) !== undefined) {
      assert.ok(performance.now() - beganMs < GIVE_UP_MS, 'the operation goes on');
    }
    return performance.now() - beganMs;
  }

  /** All scans at once. @returns milliseconds from the command shutdown until each of them has ended, and the exit. */
  async shutdown(): Promise<{ readonly tookMs: readonly number[]; readonly exit: Exit }> {
    const victims: Victim[] = [];
    for (const scan of SCANS) victims.push(await this.begin(scan));
    const beganMs = performance.now();
    this.control.send({ shutdown: 1, $db: 'admin' });
    const tookMs = await Promise.all(
      victims.map(async ({ client }) => {
        const message = await client.reply();
        assert.equal(message.document['codeName'], 'InterruptedAtShutdown');
        return performance.now() - beganMs;
      }),
    );
    for (const { client } of victims) client.close();
    return { tookMs, exit: await this.program.waitForExit() };
  }

  /** A message of which only the first half comes. @returns milliseconds past the deadline until the connection is closed. */
  async halfMessage(): Promise<number> {
    const client = await RawClient.open(this.program.port);
    await client.run({ hello: 1, $db: 'admin' });
    const whole = client.encode({
      insert: 'half',
      documents: [{ bytes: Buffer.alloc(100_000) }],
      $db: DATABASE,
    });
    client.socket.write(whole.subarray(0, 50_000));
    return timeUntil(client.closed);
  }

  /** A message that comes byte by byte. @returns as halfMessage. */
  async drippingMessage(): Promise<number> {
    const client = await RawClient.open(this.program.port);
    await client.run({ hello: 1, $db: 'admin' });
    const whole = client.encode({ ping: 1, comment: 'x'.repeat(100_000), $db: DATABASE });
    let sent = 0;
    const drip = setInterval(() => {
      client.socket.write(whole.subarray(sent, sent + 1));
      sent += 1;
    }, 20);
    try {
      return await timeUntil(client.closed);
    } finally {
      clearInterval(drip);
    }
  }

  /** A connection that never says anything. @returns as halfMessage. */
  async silentConnection(): Promise<number> {
    const client = await RawClient.open(this.program.port);
    return timeUntil(client.closed);
  }

  /** 100 MB of replies that nobody reads. @returns milliseconds past the deadline until the server has ended the connection. */
  async unreadReply(): Promise<number> {
    await this.fillLarge();
    const before = await this.slowReaders();
    const client = await RawClient.open(this.program.port);
    const first = await client.run({ find: 'megabytes', batchSize: 1, $db: DATABASE });
    client.socket.pause();
    // A small id comes as a number.
    const id = Long.fromValue(first['cursor'].id);
    const beganMs = performance.now();
    client.send({ getMore: id, collection: 'megabytes', $db: DATABASE }, { exhaustAllowed: true });
    while ((await this.slowReaders()) === before) {
      assert.ok(performance.now() - beganMs < GIVE_UP_MS, 'the slow reader is still there');
      await wait(10);
    }
    const tookMs = performance.now() - beganMs;
    client.close();
    return tookMs - DEADLINE_MS;
  }

  /** Nothing is left of what was interrupted. A vanished client may take a moment to be noticed. */
  async expectNothingLeft(): Promise<void> {
    const endMs = performance.now() + 1_000;
    let held = await this.held();
    while (!isSame(held, this.idle) && performance.now() < endMs) {
      await wait(10);
      held = await this.held();
    }
    assert.deepEqual(held, this.idle);
  }

  private async begin(scan: Scan): Promise<Victim> {
    this.markers += 1;
    const marker = `scan ${this.markers}`;
    const client = await RawClient.open(this.program.port);
    client.send({ ...scan.command, comment: marker, $db: DATABASE });
    const endMs = performance.now() + GIVE_UP_MS;
    for (;;) {
      const operation = await this.running(marker);
      if (operation !== undefined && Number(operation['microsecs_running']) > RUNNING_MICROS) {
        return { client, marker, opid: operation['opid'] };
      }
      assert.ok(performance.now() < endMs, `${scan.title} does not run`);
    }
  }

  private async running(marker: string): Promise<Document | undefined> {
    const reply = await this.admin({ currentOp: 1, 'command.comment': marker });
    return reply['inprog'][0];
  }

  private async held(): Promise<Held> {
    const status = await this.admin({ serverStatus: 1 });
    const { flintdb } = status;
    return {
      operations: Number(flintdb.operations.running),
      cursors: Number(status['metrics'].cursor.open.total),
      snapshots: Number(flintdb.engine.transactions.openSnapshots),
      connections: Number(status['connections'].current),
      bytes: Number(flintdb.connections.bufferedBytes),
    };
  }

  private async slowReaders(): Promise<number> {
    return Number((await this.admin({ serverStatus: 1 }))['network'].numSlowReaders);
  }

  private async admin(command: Document): Promise<Document> {
    const reply = await this.control.run({ ...command, $db: 'admin' });
    assert.equal(reply['ok'], 1, JSON.stringify(reply));
    return reply;
  }

  private async fill(documents: number): Promise<void> {
    const letters = documents >= 1_000_000 ? LETTERS_FOR.million : LETTERS_FOR.less;
    const text = `${'a'.repeat(letters)}b`;
    for (let first = 0; first < documents; first += INSERT_BATCH) {
      const batch = Array.from({ length: Math.min(INSERT_BATCH, documents - first) }, (_, n) => ({
        _id: first + n,
        n: first + n,
        text,
      }));
      await this.insert(COLLECTION, batch);
    }
  }

  private async fillLarge(): Promise<void> {
    const bytes = Buffer.alloc(LARGE_DOCUMENT_BYTES);
    for (let _id = 0; _id < LARGE_DOCUMENTS; _id += 10) {
      await this.insert(
        'megabytes',
        Array.from({ length: 10 }, (_, n) => ({ _id: _id + n, bytes })),
      );
    }
  }

  private async insert(collection: string, documents: readonly Document[]): Promise<void> {
    const reply = await this.control.run({ insert: collection, documents, $db: DATABASE });
    assert.equal(reply['n'], documents.length, JSON.stringify(reply));
  }

  private async lowerDeadlines(): Promise<void> {
    await this.admin({ setParameter: 1, partialMessageTimeoutMillis: DEADLINE_MS });
    await this.admin({ setParameter: 1, unreadReplyTimeoutMillis: DEADLINE_MS });
    await this.admin({ setParameter: 1, connectionHandshakeTimeoutMillis: DEADLINE_MS });
  }
}

interface Victim {
  readonly client: RawClient;
  readonly marker: string;
  readonly opid: number;
}

/** What serverStatus counts that an operation or a connection may leave behind. */
interface Held {
  readonly operations: number;
  readonly cursors: number;
  readonly snapshots: number;
  readonly connections: number;
  readonly bytes: number;
}

function isSame(one: Held, other: Held): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Milliseconds past the deadline until something happens. */
async function timeUntil(happens: Promise<void>): Promise<number> {
  const beganMs = performance.now();
  await Promise.race([
    happens,
    wait(GIVE_UP_MS).then(() => assert.fail('the connection is still open')),
  ]);
  return performance.now() - beganMs - DEADLINE_MS;
}
