/**
 * `flint repair` as a real process, killed (SIGKILL) at moments that a seed chooses, and begun again until it ends by itself. Whatever was
 * cut short, all comes back; meanwhile a start is refused by name.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SeededRandom, type Random } from '../../common/random.ts';
import { openEngine } from '../../storage/index.ts';
import { assertContents, makeImage, type Image } from '../storage/repair/store-image.ts';

export interface RepairKillOptions {
  /** So many processes are killed. */
  readonly kills: number;
  readonly seed: number;
  readonly onKill?: (line: string) => void;
}

export interface RepairKillTotals {
  /** By what the directory looked like then. */
  readonly kills: Record<Stage, number>;
  /** Processes that were to be killed, and had ended before. */
  endedBefore: number;
  /** Stores that were brought back whole. */
  stores: number;
  /** Starts that were refused because a repair had not ended. */
  refusals: number;
}

/** As far as a repair has come: it reads, fills a new index store, has put that into its place, has ended. */
export type Stage = 'reading' | 'filling' | 'replaced' | 'ended';

const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));
const UNDER_WAY = 'repair.under-way';
const POLL_MS = 1;
/** Of processes that are killed, those that do not come as far as to write. */
const EARLY_SHARE = 0.1;
/** A little longer than it takes: the last steps are cut, too. */
const LATEST_SHARE = 1.15;

/** @throws AssertionError when something did not come back */
export async function runRepairKills(options: RepairKillOptions): Promise<RepairKillTotals> {
  const root = await mkdtemp(join(tmpdir(), 'flint-repair-kills-'));
  try {
    const original = join(root, 'original');
    await mkdir(original);
    const image = await makeImage(original);
    return await new RepairKills(root, image, options).run();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

class RepairKills {
  private readonly original: string;
  private readonly dbpath: string;
  private readonly image: Image;
  private readonly options: RepairKillOptions;
  private readonly random: Random;
  private killed = 0;
  private readonly totals: RepairKillTotals = {
    kills: { reading: 0, filling: 0, replaced: 0, ended: 0 },
    endedBefore: 0,
    stores: 0,
    refusals: 0,
  };

  constructor(root: string, image: Image, options: RepairKillOptions) {
    this.original = join(root, 'original');
    this.dbpath = join(root, 'damaged');
    this.image = image;
    this.options = options;
    this.random = new SeededRandom(options.seed);
  }

  async run(): Promise<RepairKillTotals> {
    await this.damageCopy();
    // How long it takes when nobody kills it: until it begins to write, and from there to its end.
    let { startMs, workMs } = await this.repairToEnd();
    await this.assertWhole();
    while (this.killed < this.options.kills) {
      await this.damageCopy();
      const inARow = 1 + this.random.below(3);
      for (let kill = 0; kill < inARow && this.killed < this.options.kills; kill += 1) {
        await this.repairAndKill(startMs, workMs);
        await this.assertRefusedIfUnfinished();
      }
      ({ startMs, workMs } = await this.repairToEnd());
      await this.assertWhole();
      this.totals.stores += 1;
    }
    return this.totals;
  }

  /** The index store is always lost; what else, differs. */
  private async damageCopy(): Promise<void> {
    await rm(this.dbpath, { recursive: true, force: true });
    await cp(this.original, this.dbpath, { recursive: true });
    await rm(join(this.dbpath, 'index.lmdb'));
    if (this.random.below(2) === 0) return;
    const blocks = await open(join(this.dbpath, 'blocks.flint'), 'r+');
    await blocks.write(Buffer.of(0xa5), 0, 1, 60);
    await blocks.close();
  }

  private async repairAndKill(startMs: number, workMs: number): Promise<void> {
    const child = this.startRepair();
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    let isRunning = true;
    void ended.then(() => {
      isRunning = false;
    });
    const isEarly = this.random.next() < EARLY_SHARE;
    const delayMs = this.random.next() * (isEarly ? startMs : workMs * LATEST_SHARE);
    if (!isEarly) {
      while (isRunning && !existsSync(join(this.dbpath, UNDER_WAY))) await sleep(POLL_MS);
    }
    await Promise.race([sleep(delayMs), ended]);
    const wasRunning = isRunning;
    child.kill('SIGKILL');
    await ended;
    this.killed += 1;
    const stage = this.stage();
    if (wasRunning) this.totals.kills[stage] += 1;
    else this.totals.endedBefore += 1;
    const what = wasRunning ? `killed while ${stage}` : 'had ended before';
    this.options.onKill?.(`repair ${this.killed}: ${what}, after ${Math.round(delayMs)} ms`);
  }

  private stage(): Stage {
    if (existsSync(join(this.dbpath, UNDER_WAY))) {
      return existsSync(join(this.dbpath, 'index.lmdb')) ? 'replaced' : 'filling';
    }
    return existsSync(join(this.dbpath, 'index.lmdb')) ? 'ended' : 'reading';
  }

  private async assertRefusedIfUnfinished(): Promise<void> {
    if (!existsSync(join(this.dbpath, UNDER_WAY))) return;
    await assert.rejects(openEngine({ dbpath: this.dbpath }), /repair/);
    this.totals.refusals += 1;
  }

  private async repairToEnd(): Promise<{ startMs: number; workMs: number }> {
    const beganMs = performance.now();
    const child = this.startRepair();
    let code: number | null | undefined;
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const ended = new Promise<void>((resolve) =>
      child.once('close', (exit) => {
        code = exit;
        resolve();
      }),
    );
    let writingMs = beganMs;
    while (code === undefined && !existsSync(join(this.dbpath, UNDER_WAY))) {
      await sleep(POLL_MS);
      writingMs = performance.now();
    }
    await ended;
    assert.equal(code, 0, output);
    return { startMs: writingMs - beganMs, workMs: performance.now() - writingMs };
  }

  private async assertWhole(): Promise<void> {
    await assertContents(this.dbpath, this.image.all);
  }

  private startRepair() {
    return spawn(process.execPath, [FLINT, 'repair', this.dbpath, '--yes'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
