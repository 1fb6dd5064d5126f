import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../common/clock.ts';
import { CorruptionError } from '../../../common/errors.ts';
import type { CommitNumber, Ident } from '../../../storage/contract.ts';
import { treeKey } from '../../../storage/format/tree-key.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import type { IndexStore } from '../../../storage/indexes/contract.ts';
import { openLmdbIndexStore } from '../../../storage/indexes/lmdb-store.ts';
import { placeIn, STORE_ID } from '../../contracts/index-store.ts';

describe('LMDB index store', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flint-lmdb-'));
    path = join(directory, 'index.lmdb');
  });

  afterEach(() => rm(directory, { recursive: true }));

  const open = (create: boolean): Promise<IndexStore> =>
    openLmdbIndexStore({ path, storeId: STORE_ID, create, clock: systemClock });

  it('takes an emptied file for a loss, though lmdb opens it without an error', async () => {
    await (await open(true)).close();
    await truncate(path, 0);
    await assert.rejects(open(false), isKind('missing'));
  });

  it('refuses a file that is not its own, also when it may create one', async () => {
    await writeFile(path, Buffer.alloc(100_000, 'no database'));
    await assert.rejects(open(false), isKind('malformed'));
    await assert.rejects(open(true), isKind('malformed'));
  });

  it('makes a new store in place of one whose creation was cut short', async () => {
    for (const remains of [0, 4096, 8192, 100_000]) {
      await writeFile(path, Buffer.alloc(remains));
      await assert.rejects(open(false), isKind('missing'));
      const store = await open(true);
      assert.equal(store.stamp.checkpoint, 0);
      await store.close();
      await rm(path);
    }
  });

  it('names a value whose bytes have changed on the disk, by get and by scan', async () => {
    const key = treeKey(16 as Ident, Buffer.from('key'));
    const store = await open(true);
    const changes = new IndexChanges();
    changes.put(key, Buffer.from('a value that can be found'));
    await store.commit(changes, { checkpoint: 1, applied: 1 as CommitNumber });
    await store.close();
    const file = await readFile(path);
    let place = file.indexOf('a value that can be found');
    assert.ok(place > 0);
    for (; place > 0; place = file.indexOf('a value that can be found', place + 1)) {
      file[place] = 'A'.charCodeAt(0);
    }
    await writeFile(path, file);
    const damaged = await open(false);
    const snapshot = damaged.beginRead();
    assert.throws(() => snapshot.get(key), isKind('checksum'));
    const cursor = snapshot.scan({ lower: key });
    assert.throws(() => cursor.next(), isKind('checksum'));
    await damaged.close();
  });

  it('keeps a held snapshot through turns of the event loop and other snapshots', async () => {
    const store = await open(true);
    const key = treeKey(16 as Ident, Buffer.from('key'));
    const held = [];
    for (let round = 1; round <= 5; round += 1) {
      const changes = new IndexChanges();
      changes.put(key, Buffer.from(String(round)));
      await store.commit(changes, { checkpoint: round, applied: round as CommitNumber });
      held.push(store.beginRead(), store.beginRead());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const values = held.map((snapshot) => snapshot.get(key)?.toString());
    assert.deepEqual(values, ['1', '1', '2', '2', '3', '3', '4', '4', '5', '5']);
    for (const snapshot of held.toReversed()) snapshot.release();
    await store.close();
  });

  it('lets nobody see, and no crash keep, half of a commit: kill -9 in its midst', async function () {
    this.timeout(15_000);
    await (await open(true)).close();
    const seen = [];
    for (let cycle = 0; cycle < 4; cycle += 1) {
      const announced = await commitUntilKilled(path, 120 + cycle * 60);
      const store = await open(false);
      const { checkpoint } = store.stamp;
      assert.ok(checkpoint >= announced, `commit ${announced} was durable, ${checkpoint} is there`);
      const snapshot = store.beginRead();
      for (let record = 1; record <= 2000; record += 37) {
        const place = placeIn(snapshot, 20 as Ident, record);
        assert.equal(place?.generation ?? 0, checkpoint);
        const index = snapshot.get(treeKey(21 as Ident, Buffer.from(`record ${record}`)));
        assert.equal(Number(index?.toString() ?? 0), checkpoint);
      }
      seen.push(checkpoint);
      await store.close();
    }
    assert.ok(seen[3] > seen[0], seen.join());
  });
});

/** Runs a child that commits without end, kills it some time after its first commit. @returns its last durable commit */
async function commitUntilKilled(path: string, afterMs: number): Promise<number> {
  const program = fileURLToPath(new URL('./commit-without-end.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let announced = 0;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let begun = false;
  for await (const line of child.stdout.iterator({ destroyOnReturn: false })) {
    announced = Number(String(line).trimEnd().split('\n').at(-1));
    if (begun) continue;
    begun = true;
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  }
  await exited;
  return announced;
}

function isKind(kind: CorruptionError['kind']): (error: unknown) => boolean {
  return (error) => error instanceof CorruptionError && error.kind === kind;
}
