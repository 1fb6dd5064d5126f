import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentOf } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { systemRandom } from '../../../common/random.ts';
import { indexKeyGenerator } from '../../../query/index.ts';
import type { StorageEngine } from '../../../storage/contract.ts';
import { openEngine, repairStore } from '../../../storage/index.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';

const NAMESPACE = 'shop.items';
const BLOCKS = 'blocks.flint';

describe('flint repair over an index build', () => {
  let dbpath = '';
  let older = '';
  beforeEach(() => {
    dbpath = temporaryDirectory();
    older = join(temporaryDirectory(), BLOCKS);
  });
  afterEach(() => {
    removeTemporaryDirectory(dbpath);
    removeTemporaryDirectory(join(older, '..'));
  });

  function open(): Promise<StorageEngine> {
    return openEngine({
      dbpath,
      checkpointIntervalMs: 0,
      keyGenerators: indexKeyGenerator,
      smallBuildRecords: 100,
      journalRetention: { bytes: 2 ** 30, ms: 0 },
    });
  }

  function insert(engine: StorageEngine, first: number, count: number): void {
    const transaction = engine.begin();
    const collection = transaction.collection(NAMESPACE) ?? transaction.createCollection(NAMESPACE);
    for (let id = first; id < first + count; id += 1) {
      transaction.insert(collection, documentOf({ _id: id, n: id % 17 }));
    }
    transaction.commit();
    transaction.close();
  }

  it('makes the index whole when it goes on from a checkpoint before the build', async () => {
    const engine = await open();
    insert(engine, 0, 1000);
    await engine.checkpoint();
    await copyFile(join(dbpath, BLOCKS), older);
    const spec = documentOf({ v: 2, key: documentOf({ n: 1 }), name: 'n_1' });
    await engine.buildIndexes(NAMESPACE, [spec], uninterruptible);
    insert(engine, 1000, 50);
    await engine.close();
    await copyFile(older, join(dbpath, BLOCKS));
    const report = await repairStore({
      dbpath,
      clock: systemClock,
      random: systemRandom,
      keyGenerators: indexKeyGenerator,
    });
    assert.deepEqual(
      report.collections.map(({ records, indexes }) => [records, indexes]),
      [[1050, 2]],
    );
    const again = await open();
    const validation = await again.validate(NAMESPACE, { full: true }, uninterruptible);
    await again.close();
    assert.deepEqual(validation.errors, []);
    assert.equal(validation.valid, true);
  });
});
