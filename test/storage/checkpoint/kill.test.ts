import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { uninterruptible } from '../../../common/interruption.ts';
import { CHECKPOINT_POINTS, openEngine } from '../../../storage/index.ts';
import { numberOf, scan, withDirectory } from '../engine/fixture.ts';

/** Runs the writer until it dies. @returns the last update that it was told is on the device */
async function writeUntilKilled(dbpath: string, point: string): Promise<number> {
  const program = fileURLToPath(new URL('./writer-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, dbpath, point], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  assert.equal(signal, 'SIGKILL');
  const lines = output.trimEnd().split('\n');
  return Number(lines.at(-1)?.split(' ')[1]);
}

describe('A process killed inside a checkpoint', () => {
  for (const point of CHECKPOINT_POINTS) {
    it(`at ${point} has lost nothing that was flushed`, async () => {
      await withDirectory(async (dbpath) => {
        const flushed = await writeUntilKilled(dbpath, point);
        assert.ok(flushed >= 100);
        const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
        const view = engine.snapshot();
        const collection = view.collection('test.a');
        assert.ok(collection !== undefined);
        const values = await scan(view, collection, 'a');
        assert.equal(values.length, 300);
        const newest = Math.max(...values);
        assert.ok(newest >= flushed, `update ${flushed} was flushed, the newest is ${newest}`);
        // Updates came one after the other: all up to the newest are there.
        for (let id = Math.max(1, newest - 299); id <= newest; id += 1) {
          const document = await view.record(collection, ((id % 300) + 1) as never);
          assert.ok(document !== undefined);
          assert.equal(numberOf(document, 'a'), id);
        }
        view.close();
        const report = await engine.validate('test.a', { full: true }, uninterruptible);
        assert.deepEqual(report.errors, []);
        await engine.close();
      });
    });
  }
});
