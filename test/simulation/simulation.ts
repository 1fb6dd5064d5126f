/**
 * One seed: lives of an engine on one simulated machine, each ended by a power cut, a device error or a clean close. After
 * every start what must always hold (docs/architecture.md) is checked.
 */
import { CorruptionError } from '../../common/errors.ts';
import { CHECKPOINT_POINTS } from '../../storage/checkpoint/pause-points.ts';
import { loadCompression } from '../../storage/format/page-compression.ts';
import type { StorageEngine } from '../../storage/index.ts';
import type { Detections } from './fault-book.ts';
import { noCounts, type LifeCounts } from './life/context.ts';
import { Life } from './life/life.ts';
import { Model } from './model.ts';
import { openUntilUp, type RestartCounts } from './restart.ts';
import { World } from './world.ts';

const LEAST_OPERATIONS = 200;
const LEAST_RESTARTS = 2;
const LEAST_CHECKPOINTS = 1;

export interface SeedReport {
  readonly seed: number;
  readonly life: LifeCounts;
  readonly restarts: RestartCounts;
  /** Records that the cleaner moved out of mostly-dead extents. */
  movedRecords: number;
  /** Starts that were refused because of damage; a seed ends there. */
  refusals: number;
  /** Lives ended by a cut, by where the engine was. */
  readonly cuts: Record<string, number>;
  detections: Detections;
}

/** @throws AssertionError or the engine's error when something that must hold does not. */
export async function runSeed(seed: number): Promise<SeedReport> {
  // Loaded while a seed runs, it would come at another turn each time.
  await loadCompression('zstd');
  const world = new World(seed);
  const model = new Model(world.trouble === 'journal');
  const report: SeedReport = {
    seed,
    life: noCounts(),
    restarts: {
      restarts: 0,
      cutStarts: 0,
      promisesChecked: 0,
      indexesChecked: 0,
      documentsChecked: 0,
      lostTails: 0,
      repairs: 0,
      judgedWithDamage: 0,
      clean: 0,
    },
    movedRecords: 0,
    refusals: 0,
    cuts: {},
    detections: {},
  };
  try {
    await runLives(world, model, report);
  } catch (error) {
    // A damaged manifest, superblock or journal: the store is refused by name, and this seed has told all it can.
    if (!(error instanceof CorruptionError) || !world.isLying || !world.faults.hasSilent) {
      throw error;
    }
    world.faults.note(error, 'start refused');
    report.refusals += 1;
  }
  report.detections = world.faults.summary();
  return report;
}

async function runLives(world: World, model: Model, report: SeedReport): Promise<void> {
  let engine = await openUntilUp(world, model, report.restarts);
  while (!isDone(report)) {
    const life = new Life(world, engine, model);
    planEnd(world);
    world.setErrors(true);
    await life.run(30 + world.random.below(80));
    addCounts(report, life.counts, engine);
    await endLife(world, engine, life, model, report);
    world.setErrors(false);
    world.rot();
    engine = await openUntilUp(world, model, report.restarts);
    report.restarts.restarts += 1;
  }
  await world.settle(engine.close());
}

function isDone({ life, restarts }: SeedReport): boolean {
  return (
    life.operations >= LEAST_OPERATIONS &&
    restarts.restarts >= LEAST_RESTARTS &&
    life.checkpoints >= LEAST_CHECKPOINTS
  );
}

/** How this life is to end, unless it ends cleanly: power lost, or a device error, at some request. */
function planEnd(world: World): void {
  const { volume, random } = world;
  const dice = random.below(10);
  const atStep = 1 + random.below(random.below(2) === 0 ? 40 : 400);
  if (dice < 5) volume.plan({ kind: 'powerCut', atStep });
  else if (dice < 7) volume.plan({ kind: 'error', atStep, errno: 'EIO' });
  else if (dice < 8) volume.plan({ kind: 'error', atStep, errno: 'ENOSPC' });
}

async function endLife(
  world: World,
  engine: StorageEngine,
  life: Life,
  model: Model,
  report: SeedReport,
): Promise<void> {
  if (!world.isDark && world.random.below(3) === 0) {
    await life.finish();
    if (!world.isDark) await world.settle(engine.close());
    if (!world.isDark) {
      // A clean close promises everything.
      model.acknowledge(model.lastCommitNumber);
      report.restarts.clean += 1;
      return;
    }
  }
  const where = world.isDark ? stepOf(engine) : await cutAtRandom(world, engine);
  report.cuts[where] = (report.cuts[where] ?? 0) + 1;
  world.cutPower();
  // The engine that lost its devices must come to rest, and must not reach into the next life.
  await world.run(10);
}

/** Often at a point of a checkpoint, or somewhat behind it: there a cut is worth most. @returns where */
async function cutAtRandom(world: World, engine: StorageEngine): Promise<string> {
  const { failPoints, random } = world;
  const dice = random.below(4);
  if (dice === 0) return 'idle';
  const taken = engine.checkpoint().catch(() => undefined);
  if (dice === 1) {
    await world.run(random.below(60));
    return stepOf(engine);
  }
  const point = CHECKPOINT_POINTS[random.below(CHECKPOINT_POINTS.length)] ?? CHECKPOINT_POINTS[0];
  failPoints.configure(point, { kind: 'alwaysOn' }, undefined);
  let ended = false;
  void taken.then(() => {
    ended = true;
  });
  while (!ended && !world.isDark && failPoints.timesEntered(point) === 0) await world.run(1);
  if (failPoints.timesEntered(point) === 0) return 'idle';
  if (random.below(2) === 0) {
    failPoints.configure(point, { kind: 'off' }, undefined);
    await world.run(random.below(8));
    return `behind ${point}`;
  }
  return `at ${point}`;
}

function stepOf(engine: StorageEngine): string {
  const { checkpoint } = engine.statistics();
  const step = typeof checkpoint === 'object' ? checkpoint.step : undefined;
  return typeof step === 'string' && step !== 'idle' ? `step ${step}` : 'idle';
}

function addCounts(report: SeedReport, counts: LifeCounts, engine: StorageEngine): void {
  for (const name of Object.keys(counts) as (keyof LifeCounts)[]) {
    report.life[name] += counts[name];
  }
  const { blocks } = engine.statistics();
  if (typeof blocks === 'object' && typeof blocks.cleaned === 'object') {
    report.movedRecords += Number(blocks.cleaned.movedRecords);
  }
}
