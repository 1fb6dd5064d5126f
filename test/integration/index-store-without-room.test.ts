/**
 * LMDB's own commit fails for want of room, on real files: its file may not grow, by the system's bound on the size of a file. All other
 * files of the store are smaller, and go on.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { MongoClient, type Collection, type Document } from 'mongodb';
import { SeededRandom } from '../../common/random.ts';
import { Program } from '../support/programs.ts';

/** Keys per document: its entries take much more room in the index store than it takes in the block store. */
const KEYS = 400;
const OUT_OF_DISK_SPACE = 14031;
const PATIENCE_MS = 10_000;
const JOURNALED = { writeConcern: { w: 1, j: true } } as const;

interface Numbered extends Document {
  _id: number;
  keys: number[];
}

describe('An index store that has no room', function () {
  this.timeout(60_000);
  let flintd: Program;
  let client: MongoClient;
  let collection: Collection<Numbered>;
  const random = new SeededRandom(4);
  let acknowledged: number;

  beforeEach(async function () {
    flintd = await Program.start();
    await connect();
    if (!setLargestFile('unlimited')) {
      console.log('      not tested: there is no prlimit here');
      this.skip();
    }
    acknowledged = 0;
    await collection.createIndex({ keys: 1 });
    await collection.createIndex({ keys: -1, _id: 1 });
    for (let round = 0; round < 3; round += 1) {
      for (let count = 0; count < 4; count += 1) await insertSome();
      await checkpoint();
    }
  });

  afterEach(async () => {
    await client.close();
    await flintd.dispose();
  });

  async function connect(): Promise<void> {
    client = await new MongoClient(flintd.uri).connect();
    collection = client.db('test').collection('c');
  }

  function setLargestFile(bytes: number | 'unlimited'): boolean {
    try {
      // The soft bound alone: it can be lifted again without rights.
      const args = ['--pid', String(flintd.pid), `--fsize=${bytes}:`];
      execFileSync('prlimit', args, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }

  function checkpoint(): Promise<Document> {
    return client.db('admin').command({ fsync: 1 });
  }

  async function insertSome(): Promise<void> {
    const documents = Array.from({ length: 10 }, (_, index) => ({
      _id: acknowledged + index,
      keys: Array.from({ length: KEYS }, () => random.below(2 ** 31)),
    }));
    await collection.insertMany(documents, JOURNALED);
    acknowledged += documents.length;
  }

  /** LMDB meets the bound, and nobody else does. */
  function leaveNoRoom(): void {
    const sizes = ['index.lmdb', 'blocks.flint', 'ballast.flint'].map(
      (name) => statSync(join(flintd.dbpath, name), { throwIfNoEntry: false })?.size ?? 0,
    );
    const [indexStore, ...others] = sizes;
    assert.ok(Math.max(...others) < indexStore, `sizes are ${sizes.join()}`);
    assert.ok(setLargestFile(indexStore + 16_384));
  }

  async function writeUntilRefused(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      assert.ok(performance.now() < end, 'in vain waited for a refusal');
      try {
        await insertSome();
        await checkpoint();
      } catch (error) {
        assert.equal((error as { code?: number }).code, OUT_OF_DISK_SPACE, String(error));
        return;
      }
    }
  }

  async function writeUntilTaken(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      assert.ok(performance.now() < end, 'in vain waited for room');
      try {
        await insertSome();
        return;
      } catch (error) {
        assert.equal((error as { code?: number }).code, OUT_OF_DISK_SPACE, String(error));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** A batch that was refused may be there in part, as any other that failed. */
  async function assertHoldsAll(): Promise<void> {
    const found = await collection.find({}, { projection: { _id: 1 } }).toArray();
    const ids = new Set(found.map(({ _id }) => _id));
    for (let id = 0; id < acknowledged; id += 1) assert.ok(ids.has(id), `document ${id} is there`);
    const report = await client.db('test').command({ validate: 'c', full: true });
    assert.deepEqual(report['errors'], []);
  }

  it('refuses writes, reads on, and takes writes again once it has room', async () => {
    leaveNoRoom();
    await writeUntilRefused();
    await assert.rejects(insertSome(), { code: OUT_OF_DISK_SPACE });
    const found = await collection.findOne({ _id: 5 });
    assert.equal(await collection.countDocuments({ keys: found?.keys[0] }), 1);
    await assertHoldsAll();
    assert.match(flintd.output, /index store: /);
    setLargestFile('unlimited');
    await collection.deleteMany({ _id: { $gte: acknowledged } });
    await writeUntilTaken();
    await checkpoint();
    await assertHoldsAll();
  });

  it('loses nothing that was acknowledged when it is killed meanwhile', async () => {
    leaveNoRoom();
    await writeUntilRefused();
    await client.close();
    await flintd.kill();
    await flintd.restart();
    await connect();
    await assertHoldsAll();
    await collection.deleteMany({ _id: { $gte: acknowledged } });
    await insertSome();
    await checkpoint();
    await assertHoldsAll();
  });
});
