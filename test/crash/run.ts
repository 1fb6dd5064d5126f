/**
 * Cycles of: start, check, write from several clients, kill -9.
 *
 * Owns: the server process, its directory, and the books. Promises: every violation is reported with the cycle it was found in.
 */
import { MongoClient, type Db } from 'mongodb';
import { systemClock } from '../../common/clock.ts';
import { SeededRandom, type Random } from '../../common/random.ts';
import { documentOf as bsonDocumentOf } from '../../bson/index.ts';
import { Program } from '../support/programs.ts';
import { Connection } from '../../wire/index.ts';
import { CatalogWriter, COMING_AND_GOING } from './catalog-writer.ts';
import { checkIndexes, COLLECTIONS, readAll, type CollectionName, type Found } from './checks.ts';
import type { DocumentId } from './documents.ts';
import { carryOut, chooseKill, sleep, STEP_NAMES, type Kill, type Step } from './kills.ts';
import { IndexBuilder } from './index-builder.ts';
import { Ledger } from './ledger.ts';
import { Writer } from './writer.ts';

export interface CrashOptions {
  readonly cycles: number;
  readonly seed: number;
  /** high: one checkpoint after the other, and kills inside them; mixed: in every second cycle. */
  readonly checkpoints: 'normal' | 'high' | 'mixed';
  /** Hears of each cycle. */
  readonly onCycle?: (line: string) => void;
}

export interface CrashTotals {
  readonly cycles: number;
  readonly ledger: Ledger;
  readonly catalogChanges: number;
  /** Builds of a large index that were acknowledged, and kills in the midst of one. */
  readonly indexBuilds: number;
  readonly killedBuilds: number;
  readonly checkpoints: number;
  readonly kills: Readonly<Record<Kill['kind'] | 'start' | 'started', number>>;
  /** Kills by the step of a checkpoint that they landed in. */
  readonly killsByStep: Readonly<Record<Step, number>>;
  readonly documentsRead: number;
  /** From the start of the process to the first answered find, one per restart, milliseconds. */
  readonly startMs: readonly number[];
  readonly violations: readonly string[];
}

const CLIENTS = 8;
const NAMES = ['indexed', 'plain'] as const satisfies readonly CollectionName[];
/** How often a server is killed again while it recovers, and once more while it recovers from that. */
const KILL_AT_START_SHARE = 0.35;
/** Starts vary: some kills should come a little late, when the server has just begun to answer. */
const LATEST_SHARE_OF_START = 1.1;
const FIRST_GUESS_START_MS = 500;
/** Of the cycles without forced checkpoints so many have one all the same, so that the base is not always empty. */
const CHECKPOINT_SHARE = 0.4;

export async function runCrashCycles(options: CrashOptions): Promise<CrashTotals> {
  const program = await Program.start({ args: ['--testing'] });
  try {
    const run = new CrashRun(options, program);
    await run.prepare();
    for (let cycle = 0; cycle < options.cycles; cycle += 1) await run.cycle(cycle);
    await run.finish();
    return run.totals();
  } finally {
    await program.dispose();
  }
}

class CrashRun {
  private readonly options: CrashOptions;
  private readonly program: Program;
  private readonly random: Random;
  private readonly ledgers: Record<CollectionName, Ledger> = {
    indexed: new Ledger(),
    plain: new Ledger(),
  };
  private readonly ledger = new Ledger();
  private readonly writers: readonly { readonly writer: Writer; readonly name: CollectionName }[];
  private readonly catalogWriter: CatalogWriter;
  private readonly indexBuilder: IndexBuilder;
  private readonly kills = { random: 0, point: 0, step: 0, start: 0, started: 0 };
  private readonly killsByStep = { flush: 0, pages: 0, index: 0, publish: 0 };
  private readonly startMs: number[] = [];
  /** From the start of the process until it says that it is ready. */
  private readonly readyMs: number[] = [];
  private readonly violations: string[] = [];
  private cyclesDone = 0;
  private checkpoints = 0;
  private documentsRead = 0;

  constructor(options: CrashOptions, program: Program) {
    this.options = options;
    this.program = program;
    this.random = new SeededRandom(options.seed);
    this.catalogWriter = new CatalogWriter(new SeededRandom(options.seed + 1), 'indexed');
    this.indexBuilder = new IndexBuilder(new SeededRandom(options.seed + 2));
    this.writers = Array.from({ length: CLIENTS }, (_, index) => {
      const name: CollectionName = index % 3 === 2 ? 'plain' : 'indexed';
      const random = new SeededRandom(options.seed * 1_000 + index);
      return { writer: new Writer(index + 1, this.ledgers[name], random), name };
    });
  }

  totals(): CrashTotals {
    for (const { totals } of Object.values(this.ledgers)) {
      this.ledger.totals.inserts += totals.inserts;
      this.ledger.totals.updates += totals.updates;
      this.ledger.totals.deletes += totals.deletes;
      this.ledger.totals.foundUnderWay += totals.foundUnderWay;
      this.ledger.totals.lostUnderWay += totals.lostUnderWay;
    }
    return {
      cycles: this.cyclesDone,
      ledger: this.ledger,
      catalogChanges: this.catalogWriter.changes,
      indexBuilds: this.indexBuilder.builds,
      killedBuilds: this.indexBuilder.killedBuilds,
      checkpoints: this.checkpoints,
      kills: this.kills,
      killsByStep: this.killsByStep,
      documentsRead: this.documentsRead,
      startMs: this.startMs,
      violations: this.violations,
    };
  }

  async prepare(): Promise<void> {
    await this.withClient(async (client) => {
      const database = client.db('crash');
      const journaled = { writeConcern: { w: 1, j: true } };
      for (const name of NAMES) {
        await database.command({ create: name, ...journaled });
        const indexes = COLLECTIONS[name];
        if (indexes.length === 0) continue;
        await database.command({ createIndexes: name, indexes, ...journaled });
      }
      await this.indexBuilder.prepare(database);
    });
  }

  async cycle(cycle: number): Promise<void> {
    const isHigh = this.isHigh(cycle);
    const round = this.options.checkpoints === 'mixed' ? Math.floor(cycle / 2) : cycle;
    const kill = chooseKill(this.random, round, isHigh);
    await this.writeAndKill(kill, isHigh);
    while (this.random.next() < KILL_AT_START_SHARE) await this.killWhileStarting();
    const tookMs = await this.restart();
    const violations = await this.check();
    this.violations.push(...violations.map((violation) => `cycle ${cycle}: ${violation}`));
    this.cyclesDone += 1;
    this.options.onCycle?.(this.describe(cycle, kill, tookMs, violations.length));
  }

  /** A clean end and start after the last kill must lose nothing, either. */
  async finish(): Promise<void> {
    const exit = await this.program.stop();
    if (exit.code !== 0)
      this.violations.push(`the clean stop ended with ${exit.signal ?? exit.code}`);
    await this.program.restart();
    const violations = await this.check();
    this.violations.push(...violations.map((violation) => `after the clean stop: ${violation}`));
  }

  private isHigh(cycle: number): boolean {
    const { checkpoints } = this.options;
    return checkpoints === 'high' || (checkpoints === 'mixed' && cycle % 2 === 1);
  }

  private async writeAndKill(kill: Kill, checkpointsHigh: boolean): Promise<void> {
    const admin = await this.connect();
    const clients = await Promise.all(Array.from({ length: CLIENTS + 3 }, () => this.connect()));
    const working = this.writers.map(({ writer, name }, index) =>
      writer.writeUntilTheEnd(clients[index] ?? admin, name),
    );
    working.push(this.catalogWriter.writeUntilTheEnd(clients[CLIENTS] ?? admin));
    working.push(this.indexBuilder.workUntilTheEnd(clients[CLIENTS + 1] ?? admin));
    working.push(this.indexBuilder.updateUntilTheEnd(clients[CLIENTS + 2] ?? admin));
    working.push(this.takeCheckpoints(admin, checkpointsHigh));
    const settled = Promise.allSettled(working);
    try {
      const step = await carryOut(kill, this.program, admin);
      this.kills[kill.kind] += 1;
      if (step !== undefined) this.killsByStep[step] += 1;
    } catch (error) {
      this.violations.push(messageOf(error));
    }
    for (const outcome of await settled) {
      if (outcome.status === 'rejected') {
        this.violations.push(`a command was refused: ${messageOf(outcome.reason)}`);
      }
    }
    await Promise.all([admin, ...clients].map((client) => client.close()));
  }

  /** One after the other, or now and then a single one. Ends when the server does. */
  private async takeCheckpoints(client: MongoClient, isHigh: boolean): Promise<void> {
    if (!isHigh) {
      if (this.random.next() >= CHECKPOINT_SHARE) return;
      await sleep(this.random.below(300));
    }
    try {
      do {
        await client.db('admin').command({ fsync: 1 });
        this.checkpoints += 1;
      } while (isHigh);
    } catch {
      // The server is gone: what a checkpoint must not lose, the next start shows.
    }
  }

  private async killWhileStarting(): Promise<void> {
    let isUp = false;
    const starting = this.program.restart().then(
      () => {
        isUp = true;
      },
      () => {},
    );
    const startMs = this.readyMs.at(-1) ?? FIRST_GUESS_START_MS;
    await sleep(startMs * LATEST_SHARE_OF_START * this.random.next());
    if (!isUp) this.kills.start += 1;
    else this.kills.started += 1;
    await this.program.kill();
    await starting;
  }

  /** @returns milliseconds from the start of the process to the answer to a find. */
  private async restart(): Promise<number> {
    const beganMs = performance.now();
    await this.program.restart();
    this.readyMs.push(performance.now() - beganMs);
    const connection = await Connection.connect({
      address: { host: '127.0.0.1', port: this.program.port },
      clock: systemClock,
      metadata: { driver: { name: 'flintdb-crash', version: '1' } },
    });
    await connection.command(
      bsonDocumentOf({ find: 'indexed', filter: bsonDocumentOf({ _id: 1_000_001 }), $db: 'crash' }),
    );
    const tookMs = performance.now() - beganMs;
    connection.close();
    this.startMs.push(tookMs);
    return tookMs;
  }

  /** A refused command is a violation like any other: after a restart every read must succeed. */
  private check(): Promise<string[]> {
    return this.readAndCompare().catch((error: unknown) => [`a check failed: ${messageOf(error)}`]);
  }

  private readAndCompare(): Promise<string[]> {
    return this.withClient(async (client) => {
      const database = client.db('crash');
      const violations: string[] = [];
      for (const name of NAMES) {
        const found: Found = { versions: new Map<DocumentId, number>(), violations };
        await readAll(database, name, found);
        violations.push(...this.ledgers[name].reconcile(found.versions));
        violations.push(...(await checkIndexes(database, name, found.versions)));
        this.documentsRead += found.versions.size;
      }
      violations.push(...(await this.indexBuilder.check(database)));
      violations.push(...this.catalogWriter.reconcile(await catalogNames(database)));
      return violations;
    });
  }

  private describe(cycle: number, kill: Kill, tookMs: number, violations: number): string {
    const where = kill.kind === 'random' ? `after ${Math.round(kill.afterMs)} ms` : placeOf(kill);
    const documents = this.ledgers.indexed.size + this.ledgers.plain.size;
    return (
      `cycle ${cycle + 1}: killed ${where}; ${documents} documents; ` +
      `find answered ${Math.round(tookMs)} ms after the start; ${violations} violations`
    );
  }

  private connect(): Promise<MongoClient> {
    return new MongoClient(this.program.uri, {
      maxPoolSize: 1,
      retryWrites: false,
      retryReads: false,
      serverSelectionTimeoutMS: 2_000,
    }).connect();
  }

  private async withClient<Result>(run: (client: MongoClient) => Promise<Result>): Promise<Result> {
    const client = await this.connect();
    try {
      return await run(client);
    } finally {
      await client.close();
    }
  }
}

function placeOf(kill: Kill & { kind: 'point' | 'step' }): string {
  const step = `step ${STEP_NAMES.indexOf(kill.step) + 1} (${kill.step})`;
  if (kill.kind === 'step') return `in ${step}`;
  return `${kill.delayMs === 0 ? 'at' : `${kill.delayMs} ms behind`} ${kill.point}, ${step}`;
}

/** What the catalog writer keeps book of: its collections, and the index that comes and goes. */
async function catalogNames(database: Db): Promise<Set<string>> {
  const collections = await database.listCollections({}, { nameOnly: true }).toArray();
  const names = new Set(
    collections.map(({ name }) => name).filter((name) => name.startsWith('scratch_')),
  );
  const indexes = await database.collection('indexed').indexes();
  if (indexes.some(({ name }) => name === COMING_AND_GOING.name)) {
    names.add(`indexed#${COMING_AND_GOING.name}`);
  }
  return names;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
