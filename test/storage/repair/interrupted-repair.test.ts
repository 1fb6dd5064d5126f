import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { filesOf, openEngine, repairStore, type StorageEngine } from '../../../storage/index.ts';
import { MemoryIndexDisk } from '../../../storage/indexes/memory-store.ts';
import { A_INDEX, createCollection, insert, remove, update } from '../engine/fixture.ts';
import { readAll } from './store-image.ts';

interface Machine {
  readonly volume: SimulatedVolume;
  readonly disk: MemoryIndexDisk;
}

function open({ volume, disk }: Machine): Promise<StorageEngine> {
  return openEngine({
    files: filesOf(volume, disk),
    clock: new ManualClock(),
    random: new SeededRandom(5),
    checkpointIntervalMs: 0,
    extentBytes: 128 * 1024,
  });
}

function repair({ volume, disk }: Machine): ReturnType<typeof repairStore> {
  return repairStore({
    files: filesOf(volume, disk),
    clock: new ManualClock(),
    random: new SeededRandom(6),
    keyGenerators: () => undefined,
  });
}

/** A store with two checkpoints and a journal behind them, whose power went. */
async function makeStore(): Promise<{ machine: Machine; documents: Map<number, number> }> {
  const machine = { volume: new SimulatedVolume({ seed: 3 }), disk: new MemoryIndexDisk() };
  const engine = await open(machine);
  const collection = createCollection(engine, 'test.a', A_INDEX);
  const documents = new Map<number, number>();
  const ids = new Map<number, ReturnType<typeof insert>['recordId']>();
  for (let round = 0; round < 3; round += 1) {
    for (let id = round * 60; id < round * 60 + 60; id += 1) {
      ids.set(id, insert(engine, collection, documentOf({ _id: id, a: id })).recordId);
      documents.set(id, id);
    }
    for (let id = round; id < round * 60 + 60; id += 4) {
      if (!documents.delete(id)) continue;
      await remove(engine, collection, ids.get(id)!);
    }
    for (let id = 1; id < round * 60; id += 6) {
      if (!documents.has(id)) continue;
      await update(engine, collection, ids.get(id)!, documentOf({ _id: id, a: id + 1000 * round }));
      documents.set(id, id + 1000 * round);
    }
    if (round < 2) await engine.checkpoint();
  }
  const view = engine.snapshot();
  const { commitNumber } = view;
  view.close();
  await engine.flushed(commitNumber);
  machine.volume.powerCut();
  machine.disk.powerCut(new SeededRandom(1));
  await engine.close().catch(() => {});
  return { machine, documents };
}

async function assertHolds(machine: Machine, documents: Map<number, number>): Promise<void> {
  const engine = await open(machine);
  assert.deepEqual(await readAll(engine, 'test.a'), documents);
  const report = await engine.validate('test.a', { full: true }, uninterruptible);
  assert.deepEqual(report.errors, []);
  await engine.close();
}

/** A repair takes fewer steps than these together; each test has its share of them, and the time for that. */
const GROUPS = 6;
const STEPS_PER_GROUP = 8;

describe('a repair whose power goes', () => {
  let refusals = 0;
  /** The first step that no repair comes to. */
  let end: number | undefined;

  /** @returns whether power went before the repair ended */
  async function cutAt(step: number): Promise<boolean> {
    const { machine, documents } = await makeStore();
    machine.disk.lose();
    machine.volume.plan({ kind: 'powerCut', atStep: step });
    const cuts = machine.volume.faults.powerCut;
    const ended = await repair(machine).then(
      () => true,
      () => false,
    );
    const wasCut = machine.volume.faults.powerCut > cuts;
    if (!wasCut) {
      assert.ok(ended);
      machine.volume.powerCut();
    }
    machine.disk.powerCut(new SeededRandom(step));
    if (machine.disk.repairIsUnfinished) {
      refusals += 1;
      await assert.rejects(open(machine), /repair/);
    }
    if (wasCut) await repair(machine);
    await assertHolds(machine, documents);
    return wasCut;
  }

  for (let group = 0; group < GROUPS; group += 1) {
    const first = 1 + group * STEPS_PER_GROUP;
    const last = first + STEPS_PER_GROUP - 1;
    it(`refuses to be opened in between, and ends well when it is begun again: steps ${first} to ${last}`, async () => {
      for (let step = first; step <= last && end === undefined; step += 1) {
        if (!(await cutAt(step))) end = step;
      }
    });
  }

  it('has been cut at every step', () => {
    assert.ok(end !== undefined, 'the last group came to the end of a repair');
    assert.ok(end > 20, 'power went at many steps');
    assert.ok(refusals > 10, 'most of them found the store under repair');
  });

  it('ends in the same store when an error of the device stopped it', async () => {
    let failures = 0;
    for (let step = 1; step < 24; step += 1) {
      const { machine, documents } = await makeStore();
      machine.disk.lose();
      machine.volume.plan({ kind: 'error', atStep: step, errno: 'EIO' });
      await repair(machine).catch((error: unknown) => {
        assert.match(String(error), /fault/);
        failures += 1;
      });
      await repair(machine);
      await assertHolds(machine, documents);
    }
    assert.ok(failures > 2);
  }).timeout(60_000);
});
