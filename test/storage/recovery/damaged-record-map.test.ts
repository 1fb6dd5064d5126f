import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { LogLine } from '../../../common/log.ts';
import { recordMapKey } from '../../../storage/format/record-map.ts';
import {
  openEngine,
  type EngineOptions,
  type RecordId,
  type StorageEngine,
} from '../../../storage/index.ts';
import { DEFAULT_MAP_BYTES, openEnvironment } from '../../../storage/indexes/lmdb-environment.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  insert,
  withDirectory,
} from '../engine/fixture.ts';

function open(dbpath: string, options: EngineOptions = {}): Promise<StorageEngine> {
  return openEngine({ dbpath, checkpointIntervalMs: 0, ...options });
}

/** Overwrites one block of the record map. */
async function rotBlock(dbpath: string, key: Buffer): Promise<void> {
  const environment = openEnvironment(join(dbpath, 'index.lmdb'), DEFAULT_MAP_BYTES);
  assert.ok(environment.doesExist(key));
  environment.transactionSync(() => environment.putSync(key, Buffer.from('rotten')));
  await environment.close();
}

describe('Replay of an index that was made over a collection whose record map is damaged', () => {
  it('ends at the damage, names it, and lets the store open', async () => {
    await withDirectory(async (root) => {
      const [dbpath, crashed] = [join(root, 'store'), join(root, 'crashed')];
      await mkdir(dbpath);
      const engine = await open(dbpath);
      const collection = createCollection(engine, 'test.a');
      for (let id = 0; id < 200; id += 1) {
        insert(engine, collection, documentOf({ _id: id, a: id }));
      }
      await engine.checkpoint();
      await engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
      const view = engine.snapshot();
      await engine.flushed(view.commitNumber);
      view.close();
      await cp(dbpath, crashed, { recursive: true, filter: (path) => !path.includes('.sock') });
      await engine.close();
      await rotBlock(crashed, recordMapKey(collection.ident, 3));

      const lines: LogLine[] = [];
      const log = { write: (line: LogLine) => lines.push(line), withContext: () => log };
      const again = await open(crashed, { log });
      const named = lines.filter(({ id }) => id === 5100101);
      assert.equal(named.length, 1);
      assert.match(String(named[0].attributes?.['error']), /checksum/);
      const after = again.snapshot();
      const index = describeCollection(again, 'test.a').indexes[1];
      const cursor = after.scanIndex(index, {}, 1);
      let entries = 0;
      while (cursor.next()) entries += 1;
      cursor.close();
      after.close();
      // What stands in front of the damaged block has its entries: 32 records a block.
      assert.ok(entries >= 64 && entries < 200, String(entries));
      await again.close();
    });
  });
});

describe('Inserts into a collection whose last block of the record map is damaged', () => {
  it('go on in the next block, and checkpoints with them', async () => {
    await withDirectory(async (dbpath) => {
      const engine = await open(dbpath);
      const collection = createCollection(engine, 'test.a');
      for (let id = 0; id < 40; id += 1) insert(engine, collection, documentOf({ _id: id }));
      await engine.close();
      await rotBlock(dbpath, recordMapKey(collection.ident, 1));

      const again = await open(dbpath);
      const { recordId } = insert(again, collection, documentOf({ _id: 40 }));
      assert.equal(recordId, 64);
      insert(again, collection, documentOf({ _id: 41 }));
      await again.checkpoint();
      const view = again.snapshot();
      assert.deepEqual(await view.record(collection, recordId), documentOf({ _id: 40 }));
      const one = 1 as RecordId;
      assert.deepEqual(await view.record(collection, one), documentOf({ _id: 0 }));
      const lost = 40 as RecordId;
      await assert.rejects(
        async () => view.record(collection, lost),
        /test\.a, record 40.*checksum/,
      );
      view.close();
      await again.close();
    });
  });
});
