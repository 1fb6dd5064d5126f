import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { link, lstat, mkdir, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { lockDbpath } from '../../../storage/recovery/dbpath-lock.ts';
import { withDirectory } from '../engine/fixture.ts';

const PROCESSES = 5;
const ROUNDS = 40;

/** What a killed process leaves behind. */
async function leaveDeadSocket(dbpath: string, name = 'flintd.sock'): Promise<void> {
  const server = createServer();
  const path = join(dbpath, 'dying');
  server.listen(path);
  await once(server, 'listening');
  await link(path, join(dbpath, name));
  server.close();
  await once(server, 'close');
}

async function answerOf(child: ChildProcess): Promise<number> {
  const [{ wins }] = (await once(child, 'message')) as [{ wins: number }];
  return wins;
}

/** Tells all at once. @returns how many locks each holds */
function tellAll(children: readonly ChildProcess[], message: object): Promise<number[]> {
  const answers = children.map(answerOf);
  for (const child of children) child.send(message);
  return Promise.all(answers);
}

describe('The lock of a dbpath', () => {
  it('goes to exactly one of many processes that start at once over a dead socket', async () => {
    const program = fileURLToPath(new URL('./contend-lock.ts', import.meta.url));
    const children = Array.from({ length: PROCESSES }, () =>
      fork(program, { execArgv: ['--import', 'tsx'] }),
    );
    try {
      await Promise.all(children.map(answerOf));
      await withDirectory(async (parent) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const dbpath = join(parent, String(round));
          await mkdir(dbpath);
          await leaveDeadSocket(dbpath);
          const wins = await tellAll(children, { lock: dbpath });
          assert.equal(
            wins.reduce((sum, count) => sum + count),
            1,
            `round ${round}: ${wins.join(', ')}`,
          );
          assert.deepEqual((await readdir(dbpath)).sort(), ['flintd.pid', 'flintd.sock']);
          await assert.rejects(lockDbpath(dbpath), { codeName: 'DBPathInUse' });
          await tellAll(children, {});
          assert.deepEqual(await readdir(dbpath), []);
        }
      });
    } finally {
      for (const child of children) child.kill();
    }
  });

  it('passes over a whole row of processes that died on their way to it', async () => {
    await withDirectory(async (dbpath) => {
      let name = 'flintd.sock';
      for (let deaths = 0; deaths < 4; deaths += 1) {
        await leaveDeadSocket(dbpath, name);
        const { ino, mtimeNs } = await lstat(join(dbpath, name), { bigint: true });
        name = `flintd.sock.after-${ino.toString(36)}-${mtimeNs.toString(36)}`;
      }
      const lock = await lockDbpath(dbpath);
      assert.deepEqual((await readdir(dbpath)).sort(), ['flintd.pid', 'flintd.sock']);
      await assert.rejects(lockDbpath(dbpath), { codeName: 'DBPathInUse' });
      await lock.release();
      assert.deepEqual(await readdir(dbpath), []);
    });
  });
});
