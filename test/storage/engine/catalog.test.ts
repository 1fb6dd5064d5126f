import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, EMPTY_DOCUMENT, getField } from '../../../bson/index.ts';
import { treeEnd, treePrefix } from '../../../storage/format/tree-key.ts';
import { filesOf, type Ident } from '../../../storage/index.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  insert,
  openMemoryEngine,
  scan,
} from './fixture.ts';

describe('The catalog', () => {
  it('lists collections and databases in order, and knows them by UUID', async () => {
    const engine = await openMemoryEngine();
    const b = createCollection(engine, 'db.b');
    createCollection(engine, 'db.a');
    createCollection(engine, 'other.c');
    const view = engine.snapshot();
    assert.deepEqual(
      view.collections('db').map(({ namespace }) => namespace),
      ['db.a', 'db.b'],
    );
    assert.deepEqual(view.databases(), ['db', 'other']);
    assert.equal(view.collectionByUuid(b.uuid)?.namespace, 'db.b');
    view.close();
    await engine.close();
  });

  it('names the databases of each snapshot, and of a transaction that makes and drops them', async () => {
    const engine = await openMemoryEngine();
    createCollection(engine, 'db.a');
    const only = createCollection(engine, 'going.a');
    const before = engine.snapshot();
    const transaction = engine.begin();
    transaction.dropCollection(only);
    transaction.createCollection('coming.a');
    assert.deepEqual(transaction.databases(), ['coming', 'db']);
    assert.deepEqual(engine.snapshot().databases(), ['db', 'going']);
    transaction.commit();
    assert.deepEqual(before.databases(), ['db', 'going']);
    before.close();
    await engine.checkpoint();
    const after = engine.snapshot();
    assert.deepEqual(after.databases(), ['coming', 'db']);
    assert.deepEqual(after.collections('going'), []);
    await engine.close();
  });

  it('refuses a namespace that is taken, and gives it to the next one after a drop', async () => {
    const engine = await openMemoryEngine();
    const first = createCollection(engine, 'db.a');
    insert(engine, first, documentOf({ _id: 1 }));
    const transaction = engine.begin();
    assert.throws(() => transaction.createCollection('db.a'), { codeName: 'NamespaceExists' });
    transaction.dropCollection(first);
    const second = transaction.createCollection('db.a');
    transaction.insert(second, documentOf({ _id: 2 }));
    transaction.commit();
    const view = engine.snapshot();
    assert.notEqual(describeCollection(engine, 'db.a').uuid, first.uuid);
    assert.deepEqual(await scan(view, second, '_id'), [2]);
    view.close();
    await engine.close();
  });

  it('changes options and specifications, and keeps both across a restart', async () => {
    const files = filesOf(new MemoryVolume(), new MemoryIndexDisk());
    const engine = await openMemoryEngine({ files });
    const collection = createCollection(engine, 'db.a', A_INDEX);
    const spec = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1', hidden: true });
    const transaction = engine.begin();
    transaction.modifyCollection(
      collection,
      documentOf({ validationLevel: 'off' }),
      new Map([['a_1', spec]]),
    );
    transaction.commit();
    await engine.close();
    const next = await openMemoryEngine({ files });
    const changed = describeCollection(next, 'db.a');
    assert.equal(getField(changed.options, 'validationLevel')?.asString(), 'off');
    assert.equal(getField(changed.indexes[1].spec, 'hidden')?.asBoolean(), true);
    assert.equal(changed.indexes[1].ident, collection.indexes[1].ident);
    await next.close();
  });

  it('reaps the trees of dropped collections and indexes from the base', async () => {
    const volume = new MemoryVolume();
    const disk = new MemoryIndexDisk();
    const engine = await openMemoryEngine({ files: filesOf(volume, disk) });
    const dropped = createCollection(engine, 'db.a', A_INDEX);
    const kept = createCollection(engine, 'db.b', A_INDEX);
    for (let id = 0; id < 500; id += 1) {
      insert(engine, dropped, documentOf({ _id: id, a: id }));
      insert(engine, kept, documentOf({ _id: id, a: id }));
    }
    await engine.checkpoint();
    const old = engine.snapshot();
    const transaction = engine.begin();
    transaction.dropCollection(dropped);
    transaction.dropIndex(kept, kept.indexes[1]);
    transaction.commit();
    await engine.checkpoint();
    assert.equal((await scan(old, dropped, '_id')).length, 500, 'the old snapshot still reads it');
    old.close();
    await engine.close();
    const storeId = Buffer.from(await storeIdOf(volume, disk), 'hex');
    const store = await openMemoryIndexStore({ disk, storeId, create: false });
    const snapshot = store.beginRead();
    const keysOf = (ident: Ident): number => {
      const cursor = snapshot.scan({ lower: treePrefix(ident), upper: treeEnd(ident) });
      let keys = 0;
      while (cursor.next()) keys += 1;
      return keys;
    };
    assert.equal(keysOf(dropped.ident), 0);
    for (const { ident } of [...dropped.indexes, kept.indexes[1]]) assert.equal(keysOf(ident), 0);
    assert.equal(keysOf(kept.indexes[0].ident), 500);
    snapshot.release();
    await store.close();
  });

  it('holds a view without indexes', async () => {
    const engine = await openMemoryEngine();
    const transaction = engine.begin();
    transaction.createCollection('db.v', { kind: 'view', options: EMPTY_DOCUMENT });
    transaction.commit();
    await engine.checkpoint();
    const view = describeCollection(engine, 'db.v');
    assert.equal(view.kind, 'view');
    assert.deepEqual(view.indexes, []);
    await engine.close();
  });
});

async function storeIdOf(volume: MemoryVolume, disk: MemoryIndexDisk): Promise<string> {
  assert.ok(disk.state !== undefined);
  const { openBlockStore } = await import('../../../storage/blocks/block-store.ts');
  const { systemClock } = await import('../../../common/clock.ts');
  const blocks = await openBlockStore({ volume, clock: systemClock, cacheBytes: 1024 * 1024 });
  const { storeId } = blocks;
  await blocks.close();
  return storeId;
}
