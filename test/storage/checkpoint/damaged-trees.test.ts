import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { treeEnd, treePrefix } from '../../../storage/format/tree-key.ts';
import { openEngine, type Ident, type StorageEngine } from '../../../storage/index.ts';
import { DEFAULT_MAP_BYTES, openEnvironment } from '../../../storage/indexes/lmdb-environment.ts';
import {
  A_INDEX,
  createCollection,
  describe as collectionOf,
  insert,
  scan,
  withDirectory,
} from '../engine/fixture.ts';

function open(dbpath: string): Promise<StorageEngine> {
  return openEngine({ dbpath, checkpointIntervalMs: 0 });
}

/** Overwrites every value of these trees. */
async function rot(dbpath: string, trees: readonly Ident[]): Promise<void> {
  const environment = openEnvironment(join(dbpath, 'index.lmdb'), DEFAULT_MAP_BYTES);
  environment.transactionSync(() => {
    for (const tree of trees) {
      const range = { start: treePrefix(tree), end: treeEnd(tree) };
      const keys = [...environment.getKeys(range)];
      assert.ok(keys.length > 0);
      for (const key of keys) environment.putSync(key, Buffer.from('rotten'));
    }
  });
  await environment.close();
}

describe('A checkpoint that drops trees of which nothing can be read', () => {
  it('is taken all the same, for a collection and for an index, and so are those behind it', async () => {
    await withDirectory(async (dbpath) => {
      const engine = await open(dbpath);
      const gone = createCollection(engine, 'test.gone', A_INDEX);
      const kept = createCollection(engine, 'test.kept', A_INDEX);
      for (let id = 0; id < 200; id += 1) {
        insert(engine, gone, documentOf({ _id: id, a: id }));
        insert(engine, kept, documentOf({ _id: id, a: id }));
      }
      await engine.close();
      const idents = [gone.ident, ...gone.indexes.map(({ ident }) => ident)];
      await rot(dbpath, [...idents, kept.indexes[1].ident]);

      const damaged = await open(dbpath);
      const transaction = damaged.begin();
      transaction.dropCollection(collectionOf(damaged, 'test.gone'));
      const { indexes } = collectionOf(damaged, 'test.kept');
      transaction.dropIndex(collectionOf(damaged, 'test.kept'), indexes[1]);
      transaction.commit();
      for (let round = 0; round < 3; round += 1) {
        insert(damaged, kept, documentOf({ _id: 1000 + round, a: 1 }));
        await damaged.checkpoint();
      }
      await damaged.close();

      const again = await open(dbpath);
      const view = again.snapshot();
      assert.equal(view.collection('test.gone'), undefined);
      assert.equal((await scan(view, collectionOf(again, 'test.kept'), 'a')).length, 203);
      view.close();
      const report = await again.validate('test.kept', { full: true }, uninterruptible);
      assert.deepEqual(report.errors, []);
      await again.close();
    });
  });
});
