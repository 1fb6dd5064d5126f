import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { SpillArea } from '../../../storage/spill/spill-area.ts';
import { openEngine } from '../../../storage/index.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';
import { createCollection, insert } from '../engine/fixture.ts';

describe('The spill area', () => {
  it('lies beside the store, keeps no names, and counts what it holds', async () => {
    const dbpath = temporaryDirectory();
    const engine = await openEngine({ dbpath });
    const file = engine.spill.create();
    file.append(Buffer.alloc(100_000, 1));
    file.append(Buffer.alloc(50_000, 2));
    assert.deepEqual(readdirSync(join(dbpath, '_tmp')), []);
    const counters = { files: 1, bytes: 150_000, filesTotal: 1, bytesTotal: 150_000 };
    assert.deepEqual(engine.statistics()['spill'], counters);
    const read = Buffer.alloc(20);
    assert.equal(file.read(read, 99_990), 20);
    assert.deepEqual(read, Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(10, 2)]));
    file.close();
    file.close();
    assert.deepEqual(engine.statistics()['spill'], { ...counters, files: 0, bytes: 0 });
    await engine.close();
    removeTemporaryDirectory(dbpath);
  });

  it('is cleaned at the start of what a crash has left', async () => {
    const dbpath = temporaryDirectory();
    mkdirSync(join(dbpath, '_tmp', 'flint-spill-abc'), { recursive: true });
    writeFileSync(join(dbpath, '_tmp', 'flint-spill-abc', 'spill'), 'left behind');
    const engine = await openEngine({ dbpath });
    assert.deepEqual(readdirSync(join(dbpath, '_tmp')), []);
    await engine.close();
    removeTemporaryDirectory(dbpath);
  });

  it('takes nothing of what the store needs for itself', () => {
    let isShort = false;
    const area = new SpillArea({
      refuseGrowth: () => {
        if (isShort) throw new CommandError('OutOfDiskSpace', 'short');
      },
    });
    const file = area.create();
    file.append(Buffer.alloc(1000));
    isShort = true;
    assert.throws(() => file.append(Buffer.alloc(1000)), { codeName: 'OutOfDiskSpace' });
    assert.throws(() => area.create(), { codeName: 'OutOfDiskSpace' });
    file.close();
    assert.deepEqual(area.statistics, { files: 0, bytes: 0, filesTotal: 1, bytesTotal: 1000 });
  });

  it('answers with MongoDB’s code where no file can be made', () => {
    const area = new SpillArea({ directory: '/nowhere/at/all' });
    assert.throws(() => area.create(), { codeName: 'OutOfDiskSpace' });
    assert.equal(area.statistics.files, 0);
  });
});

describe('The journal’s retention', () => {
  it('keeps as much as it was told beyond what recovery needs', async () => {
    const segmentsAfter = async (bytes: number): Promise<number> => {
      const engine = await openEngine({
        checkpointIntervalMs: 0,
        journalRetention: { bytes, ms: 0 },
      });
      const collection = createCollection(engine, 'db.a');
      for (let round = 0; round < 8; round += 1) {
        for (let id = 0; id < 100; id += 1) {
          insert(engine, collection, documentOf({ _id: round * 100 + id, t: 'x'.repeat(10_000) }));
        }
        await engine.checkpoint();
      }
      const { journal } = engine.statistics();
      await engine.close();
      return typeof journal === 'object' ? Number(journal['segmentBytes']) : NaN;
    };
    const without = await segmentsAfter(0);
    const withWindow = await segmentsAfter(6 * 1024 * 1024);
    assert.ok(withWindow >= 6 * 1024 * 1024, `${withWindow} bytes are kept`);
    assert.ok(without < withWindow, `${without} bytes are kept without a window`);
  });
});
