/** The embedded topology keeps its contract, and what it acknowledged survives kill -9. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { getField, stringValue } from '../../bson/index.ts';
import { ManualClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { EmbeddedTopology } from '../../config-server/topology/embedded-topology.ts';
import { MemoryVolume } from '../../storage/device/memory-volume.ts';
import { filesOf, openEngine, type StorageEngine } from '../../storage/index.ts';
import { MemoryIndexDisk } from '../../storage/indexes/memory-store.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../support/programs.ts';
import { describeTopology, type TopologyUnderTest } from './topology.ts';

/** In memory, which ends and starts as a disk does; the kill at the end has a real one. */
async function embedded(): Promise<TopologyUnderTest> {
  const files = filesOf(new MemoryVolume(), new MemoryIndexDisk());
  const clock = new ManualClock(1_700_000_000_000);
  let engine: StorageEngine;
  const open = async (): Promise<EmbeddedTopology> => {
    engine = await openEngine({ files, deltaBytes: 8 * 1024 * 1024 });
    return new EmbeddedTopology({ engine, clock, newObjectId: () => systemRandom.bytes(12) });
  };
  const topology = await open();
  return {
    topology,
    pass: (ms) => clock.advance(ms),
    reopen: async () => {
      await engine.close();
      return open();
    },
    dispose: () => engine.close(),
  };
}

const WRITER = fileURLToPath(new URL('topology-writer.ts', import.meta.url));

/** Kills the writer once it has said that so many changes are kept. @returns the last one that it said */
function killedAfter(dbpath: string, count: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, dbpath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = Number(line);
    if (last >= count) child.kill('SIGKILL');
  });
  return new Promise((resolve) => child.once('close', () => resolve(last)));
}

describe('topology contract', () => {
  describe('embedded', () => {
    describeTopology(embedded);

    it('keeps what it acknowledged when its process is killed', async () => {
      const dbpath = temporaryDirectory();
      const acknowledged = await killedAfter(dbpath, 15);
      assert.ok(acknowledged >= 15);
      const engine = await openEngine({ dbpath });
      const topology = new EmbeddedTopology({
        engine,
        clock: new ManualClock(0),
        newObjectId: () => systemRandom.bytes(12),
      });
      const document = await topology.get({ set: 'counters', id: stringValue('n') });
      await engine.close();
      removeTemporaryDirectory(dbpath);
      assert.ok(document !== undefined);
      const kept = getField(document, 'value')?.asNumber() ?? 0;
      assert.ok(kept >= acknowledged, `${kept} is kept, ${acknowledged} was acknowledged`);
    });
  });
});
