/**
 * One seed: lives of an engine on one simulated machine, each ended by a power cut, a device error or a clean close. After
 * every start what must always hold (docs/architecture.md) is checked.
 */
import assert from 'node:assert/strict';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { StorageEngine } from '../../storage/index.ts';
import { differenceOf, Model } from './model.ts';
import { checkCollection } from './reading.ts';
import { Life, stateOf, type LifeCounts } from './workload.ts';
import { World } from './world.ts';

const LEAST_OPERATIONS = 200;
const LEAST_RESTARTS = 2;
const LEAST_CHECKPOINTS = 1;
/** A store that does not open after so many crashes in a row never will. */
const MOST_ATTEMPTS = 20;

export interface SeedReport extends LifeCounts {
  readonly seed: number;
  restarts: number;
  /** Records that the cleaner moved out of mostly-dead extents. */
  movedRecords: number;
  /** Starts that were refused because of damage. */
  refusals: number;
  cleanRestarts: number;
  /** Restarts by the step of a checkpoint in which the life before ended. */
  readonly cutsByStep: Record<string, number>;
  faults: Readonly<Record<string, number>>;
}

/** @throws AssertionError or the engine's error when something that must hold does not. */
export async function runSeed(seed: number): Promise<SeedReport> {
  const world = new World(seed);
  const model = new Model();
  const report: SeedReport = {
    seed,
    operations: 0,
    commits: 0,
    conflicts: 0,
    duplicates: 0,
    checkpoints: 0,
    builds: 0,
    snapshotReads: 0,
    corruptions: 0,
    restarts: 0,
    refusals: 0,
    movedRecords: 0,
    cleanRestarts: 0,
    cutsByStep: {},
    faults: {},
  };
  try {
    await runLives(world, model, report);
  } catch (error) {
    // A damaged manifest or superblock: the store is refused by name, and this seed has told all it can.
    if (!(error instanceof CorruptionError) || !world.damages) throw error;
    report.refusals += 1;
  }
  report.faults = { ...world.volume.faults };
  return report;
}

async function runLives(world: World, model: Model, report: SeedReport): Promise<void> {
  let engine = await openUntilUp(world, model);
  while (!isDone(report)) {
    const life = new Life(world, engine, model);
    planEnd(world);
    world.setErrors(true);
    await life.run(30 + world.random.below(80));
    addCounts(report, life.counts, engine);
    await endLife(world, engine, life, model, report);
    world.setErrors(false);
    engine = await openUntilUp(world, model);
    report.restarts += 1;
  }
  await world.settle(engine.close());
}

function isDone(report: SeedReport): boolean {
  return (
    report.operations >= LEAST_OPERATIONS &&
    report.restarts >= LEAST_RESTARTS &&
    report.checkpoints >= LEAST_CHECKPOINTS
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
      report.cleanRestarts += 1;
      return;
    }
  }
  if (!world.isDark) await cutAtRandom(world, engine);
  const step = stepOf(engine);
  report.cutsByStep[step] = (report.cutsByStep[step] ?? 0) + 1;
  world.cutPower();
  // The engine that lost its devices must come to rest, and must not reach into the next life.
  await world.run(10);
}

/** Often inside a checkpoint: there a cut is worth most. */
async function cutAtRandom(world: World, engine: StorageEngine): Promise<void> {
  if (world.random.below(3) === 0) return;
  void engine.checkpoint().catch(() => undefined);
  await world.run(world.random.below(60));
}

function stepOf(engine: StorageEngine): string {
  const { checkpoint } = engine.statistics();
  const step = typeof checkpoint === 'object' ? checkpoint.step : undefined;
  return typeof step === 'string' ? step : 'unknown';
}

/** Opens and checks the store. Power may go again, or a device fail, while it recovers. */
async function openUntilUp(world: World, model: Model): Promise<StorageEngine> {
  for (let attempt = 0; ; attempt += 1) {
    if (attempt < 3 && world.random.below(6) === 0) {
      world.volume.plan({ kind: 'powerCut', atStep: 1 + world.random.below(30) });
    }
    try {
      const engine = await world.settle(world.open());
      if (engine !== undefined) {
        await checkRestart(world, engine, model);
        if (!world.isDark) return engine;
      }
    } catch (error) {
      const isExpected = world.isDark || error instanceof DeviceError;
      if (!isExpected || attempt >= MOST_ATTEMPTS) throw error;
    }
    world.cutPower();
    await world.run(10);
  }
}

async function checkRestart(world: World, engine: StorageEngine, model: Model): Promise<void> {
  const { state: actual, unreadable } = await stateOf(engine);
  const promised = model.acknowledged;
  const before = model.copy();
  assert.ok(
    unreadable.size === 0 || world.damages,
    'a page is damaged on a disk that damages none',
  );
  assert.ok(
    model.fallBackTo(actual, unreadable),
    `after a restart the store holds no state since commit ${promised}: ${differenceOf(before, actual)}`,
  );
  const view = engine.snapshot();
  // On a damaged disk an update of an unreadable record leaves index entries that nobody can compute: validate tells.
  for (const collection of world.damages ? [] : view.collections()) {
    const expected = model.state.get(collection.namespace);
    assert.ok(expected !== undefined, `${collection.namespace} came from nowhere`);
    await checkCollection(view, collection, expected);
    const report = await engine.validate(collection.namespace, { full: true }, uninterruptible);
    assert.deepEqual(report.errors, [], `${collection.namespace}: validate`);
  }
  model.acknowledge(view.commitNumber);
  view.close();
  await world.run(1);
}

function addCounts(report: SeedReport, counts: LifeCounts, engine: StorageEngine): void {
  report.operations += counts.operations;
  report.commits += counts.commits;
  report.conflicts += counts.conflicts;
  report.duplicates += counts.duplicates;
  report.builds += counts.builds;
  report.snapshotReads += counts.snapshotReads;
  report.corruptions += counts.corruptions;
  const { checkpoint, blocks } = engine.statistics();
  if (typeof checkpoint === 'object') report.checkpoints += Number(checkpoint.count);
  if (typeof blocks === 'object' && typeof blocks.cleaned === 'object') {
    report.movedRecords += Number(blocks.cleaned.movedRecords);
  }
}
