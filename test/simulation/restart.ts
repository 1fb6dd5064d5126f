/**
 * Starts, and what must hold after each (docs/architecture.md, "What always holds"):
 *  1. What was promised is there: the store holds a state that came after the last promise, or that one.
 *  2. No part of a transaction is visible, and every index agrees with its collection.
 *  3. What the disk damaged is named, and never given out as data.
 */
import assert from 'node:assert/strict';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { CollectionDescription, ReadView, StorageEngine } from '../../storage/index.ts';
import { INDEX_SPECS } from './documents.ts';
import { differenceOf, type Model } from './model.ts';
import { checkCollection, checkReadableEntries, readState, recordsOf } from './reading.ts';
import { DAMAGE, type World } from './world.ts';

/** A store that does not open after so many crashes in a row never will. */
const MOST_ATTEMPTS = 20;

export interface RestartCounts {
  restarts: number;
  /** Starts in the midst of which power went or a device failed. */
  cutStarts: number;
  /** Starts after a clean close. */
  clean: number;
  /** What was looked at: starts that had promises to keep, indexes compared, documents compared. */
  promisesChecked: number;
  indexesChecked: number;
  documentsChecked: number;
  /** Starts on a disk that had lost the acknowledged end of the journal: nobody can tell it from a torn one. */
  lostTails: number;
  /** Index stores that were lost and made anew. */
  repairs: number;
  /** Collections compared with their indexes although some damage had been met. */
  judgedWithDamage: number;
}

/** Opens and checks the store. Power may go again, or a device fail, while it recovers. */
export async function openUntilUp(
  world: World,
  model: Model,
  counts: RestartCounts,
): Promise<StorageEngine> {
  for (let attempt = 0; ; attempt += 1) {
    const repairs = world.needsRepair || (attempt === 0 && losesIndexStore(world, model));
    // A repair lists as lost what a planned error strikes: the judge would take it for damage.
    if (repairs) world.volume.forgetPlans();
    if (attempt < 3 && world.random.below(6) === 0) planCutStart(world, repairs);
    try {
      const isWhole = !repairs || (await repair(world, counts));
      const engine = isWhole ? await world.settle(world.open()) : undefined;
      if (engine !== undefined) {
        await checkRestart(world, engine, model, counts);
        if (!world.isDark) return engine;
      }
    } catch (error) {
      world.faults.note(error, 'the start failed, the next one recovered');
      const isExpected = world.isDark || isOfDevice(error);
      if (!isExpected || attempt >= MOST_ATTEMPTS) throw error;
    }
    counts.cutStarts += 1;
    world.cutPower();
    await world.run(10);
  }
}

/** A superblock that the device cannot read is damaged, for this reason. */
function isOfDevice(error: unknown): boolean {
  if (error instanceof CorruptionError) return error.cause instanceof DeviceError;
  return error instanceof DeviceError;
}

/** @returns false when power went in its midst */
async function repair(world: World, counts: RestartCounts): Promise<boolean> {
  await world.settle(world.repair());
  if (world.isDark) return false;
  counts.repairs += 1;
  return true;
}

/** Where the disk keeps what was written: there a repair has to bring everything back. */
function losesIndexStore({ isLying, random }: World, model: Model): boolean {
  return !isLying && model.state.size > 0 && random.below(8) === 0;
}

/** @param repairs a repair takes what the disk refuses to read as lost: then power goes, and nothing else */
function planCutStart({ random, volume }: World, repairs: boolean): void {
  const atStep = 1 + random.below(30);
  if (repairs || random.below(3) > 0) volume.plan({ kind: 'powerCut', atStep });
  else volume.plan({ kind: 'error', atStep, errno: random.below(2) === 0 ? 'EIO' : 'ENOSPC' });
}

async function checkRestart(
  world: World,
  engine: StorageEngine,
  model: Model,
  counts: RestartCounts,
): Promise<void> {
  const view = engine.snapshot();
  const { state: actual, unreadable } = await readState(view, (error) => {
    world.damageMet = true;
    world.faults.note(error, 'read after the start');
  });
  assert.ok(
    unreadable.size === 0 || world.trouble === 'pages',
    'a page is damaged on a disk that damages none',
  );
  const promised = model.acknowledged;
  const before = model.copy();
  const fallenBack = model.fallBackTo(actual, unreadable);
  assert.ok(
    fallenBack !== undefined,
    `after a restart the store holds no state since commit ${promised}: ${differenceOf(before, actual)}`,
  );
  if (fallenBack.promisesLost > 0) {
    assert.ok(
      world.faults.explainsLostTail(world.journalTail),
      `after a restart ${fallenBack.promisesLost} commits up to ${promised} are gone, and the journal ends at ${world.journalTail}`,
    );
    counts.lostTails += 1;
  }
  if (promised > 0) counts.promisesChecked += 1;
  for (const { documents } of actual.values()) counts.documentsChecked += documents.size;
  for (const collection of view.collections()) {
    checkIndexNames(model, collection);
    await checkIndexes(world, engine, { view, collection, model, counts });
  }
  model.acknowledge(view.commitNumber);
  view.close();
  world.faults.noteRestart(world.journalTail);
  await world.run(1);
}

/** What was promised of indexes: those built are ready, those dropped are gone. From here on the store knows best. */
function checkIndexNames(model: Model, collection: CollectionDescription): void {
  const { namespace } = collection;
  const known = model.state.get(namespace);
  assert.ok(known !== undefined, `${namespace} came from nowhere`);
  const ready = new Set(collection.indexes.filter((index) => index.ready).map(({ name }) => name));
  for (const [name, { isReady, since }] of known.indexes) {
    if (since > model.acknowledged) continue;
    assert.equal(ready.has(name), isReady, `${namespace}: index ${name} is ready`);
  }
  assert.equal(
    ready.size,
    collection.indexes.length,
    `${namespace}: an unfinished index, or two of a name`,
  );
  for (const { name } of INDEX_SPECS) {
    known.indexes.set(name, { isReady: ready.has(name), since: 0 });
  }
}

/** What validate says of a record that the disk refused to read. */
const PASSING_ERROR = /record (\d+): .*simulated fault #/g;

interface CheckedParts {
  readonly view: ReadView;
  readonly collection: CollectionDescription;
  readonly model: Model;
  readonly counts: RestartCounts;
}

async function checkIndexes(
  world: World,
  engine: StorageEngine,
  parts: CheckedParts,
): Promise<void> {
  const { view, collection, model, counts } = parts;
  const { namespace } = collection;
  counts.indexesChecked += collection.indexes.length;
  if (world.damageMet) return checkDamaged(world, engine, parts);
  const expected = model.state.get(namespace)?.documents;
  assert.ok(expected !== undefined, `${namespace} came from nowhere`);
  await checkCollection(view, collection, expected);
  const { errors } = await engine.validate(namespace, { full: true }, uninterruptible);
  assert.deepEqual(world.faults.unexplained(errors), [], `${namespace}: validate`);
}

/**
 * What still holds once some damage was met: records that can be read have exactly their entries, but for those that a start changed
 * without knowing what they had been; and validate names the records that cannot be read, no others.
 */
async function checkDamaged(
  world: World,
  engine: StorageEngine,
  { view, collection, model, counts }: CheckedParts,
): Promise<void> {
  const { namespace } = collection;
  const { taintedRecords } = world;
  const records = model.state.get(namespace)?.documents.size;
  assert.equal(view.recordCount(collection), records, `${namespace}: record count`);
  const { readable, unreadable } = await recordsOf(view, collection);
  for (const index of collection.indexes) {
    checkReadableEntries(view, collection, index, { readable, unreadable, taintedRecords });
  }
  const report = await engine.validate(namespace, { full: true }, uninterruptible);
  const named = new Set<number>(report.corruptRecords);
  // An error that was planned for the start, and is met only now, is gone at the next reading.
  for (const [, record] of report.errors.join('\n').matchAll(PASSING_ERROR)) {
    if (!unreadable.has(Number(record))) named.delete(Number(record));
  }
  assert.deepEqual(named, unreadable, `${namespace}: validate names what cannot be read`);
  if (taintedRecords.size === 0) {
    const others = world.faults.unexplained(report.errors).filter((error) => !DAMAGE.test(error));
    assert.deepEqual(others, [], `${namespace}: validate`);
  }
  counts.judgedWithDamage += 1;
}
