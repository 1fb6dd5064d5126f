import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { runStory } from './exhaustive.ts';
import { PLANTED_BUGS, seedsFor } from './planted-bugs.ts';
import { Totals } from './report.ts';
import { findPlanted, runExhaustively } from './runs.ts';
import { failedOnce } from './seeds.ts';
import type { Answer } from './seed-worker.ts';
import { runSeed } from './simulation.ts';

const SEEDS = 15;
const FIRST_SEED = 1000;

describe('A simulated machine', () => {
  it('comes back after every crash with what was promised, whole, and agreeing with its indexes', async () => {
    const totals = new Totals();
    const seeds = Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index);
    for (const seed of [...failedOnce(), ...seeds]) totals.add(await runSeed(seed));
    assert.ok(totals.detected('powerCut', 'start: base, and the journal over it') > SEEDS);
    assert.ok(totals.detected('bitRot', 'page: checksum') > 0);
  }).timeout(60_000);

  it('keeps what it promised whichever of its operations fails', async () => {
    const { operations, failures } = await runExhaustively({
      documents: 8,
      every: 3,
      async run(tasks, onAnswer) {
        for (const task of tasks) {
          assert.ok(task.kind === 'story');
          const answer: Answer = { kind: 'held', hit: await runStory(task.story) };
          if (!onAnswer(task, answer)) return;
        }
      },
      print: () => {},
    });
    assert.deepEqual(failures, []);
    for (const count of Object.values(operations)) assert.ok(count > 15);
  }).timeout(60_000);
});

describe('A seed', () => {
  it('tells the same story each time', async () => {
    for (const seed of [1, 3, 5, 10]) {
      assert.deepEqual(await runSeed(seed), await runSeed(seed));
    }
  }).timeout(30_000);
});

describe('A bug that is planted in the engine', () => {
  for (const bug of PLANTED_BUGS) {
    it(`is found by the simulation: ${bug.name}`, async () => {
      const source = readFileSync(new URL(`../../${bug.file}`, import.meta.url), 'utf8');
      assert.equal(source.split(bug.text).length, 2, `${bug.file} has one place for it`);
      const seeds = seedsFor(bug, 1, 100);
      const found = await findPlanted(bug, { seeds, jobs: 2 });
      assert.ok(found !== undefined, `no seed up to ${seeds.length} fails`);
    }).timeout(60_000);
  }
});
