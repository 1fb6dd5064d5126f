/**
 * configString: how clients say what the pages of a collection are compressed with.
 */
import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../support/test-server.ts';

describe('the configString of a collection', () => {
  const server = serverForTests();
  let database: Db;

  beforeEach(() => {
    database = server.freshDatabase();
  });

  const create = (configString: unknown, more: Document = {}): Promise<Document> =>
    database.command({ create: 'c', storageEngine: { wiredTiger: { configString } }, ...more });
  const creationString = async (collection: string): Promise<unknown> =>
    (await database.command({ collStats: collection })).wiredTiger.creationString;

  for (const [configString, shown] of [
    ['block_compressor=zstd', 'block_compressor=zstd'],
    ['block_compressor=none', 'block_compressor='],
    ['block_compressor=', 'block_compressor='],
    ['block_compressor="zstd"', 'block_compressor=zstd'],
    ['block_compressor=zstd,block_compressor=snappy', 'block_compressor=snappy'],
    ['allocation_size=8KB, block_compressor=zstd', 'allocation_size=8KB,block_compressor=zstd'],
    [
      'log=(enabled=true,x=1),prefix_compression',
      'block_compressor=snappy,log=(enabled=true,x=1),prefix_compression=true',
    ],
    ['', 'block_compressor=snappy'],
  ]) {
    it(`may be '${configString}', and collStats shows what came of it`, async () => {
      await create(configString);
      assert.equal(await creationString('c'), shown);
      const [{ options }] = (await database.listCollections({ name: 'c' }).toArray()) as Document[];
      assert.deepEqual(options, { storageEngine: { wiredTiger: { configString } } });
    });
  }

  it('holds for buckets of a time series, and for a copy, and for what $out replaces', async () => {
    await create('block_compressor=zstd', { timeseries: { timeField: 't' } });
    assert.equal(await creationString('system.buckets.c'), 'block_compressor=zstd');
    await database.command({
      create: 'd',
      storageEngine: { wiredTiger: { configString: 'block_compressor=none' } },
    });
    await database.collection('s').insertOne({ a: 1 });
    await database
      .collection('s')
      .aggregate([{ $out: 'd' }])
      .toArray();
    assert.equal(await creationString('d'), 'block_compressor=');
    await database.command({ cloneCollectionAsCapped: 'd', toCollection: 'e', size: 4096 });
    assert.equal(await creationString('e'), 'block_compressor=');
    assert.equal(await creationString('s'), 'block_compressor=snappy');
  });

  for (const [configString, code, message] of [
    [1, 14, "'configString' must be a string."],
    ['block_compressor=lz4', 2, "22: Invalid argument. unknown compressor 'lz4'."],
    ['no_such=1', 2, "22: Invalid argument. unknown configuration key: 'no_such'."],
    ['log=(enabled', 2, '22: Invalid argument. Unbalanced brackets: log=(enabled.'],
    ['log=)', 2, '22: Invalid argument. Unbalanced brackets: log=).'],
    [
      'block_compressor="zstd',
      2,
      '22: Invalid argument. Unbalanced quotes: block_compressor="zstd.',
    ],
    ['type=lsm', 6627201, "Configuration 'type=lsm' is not supported."],
    ['a\0b', 9, "malformed 'configString' value."],
  ] as const) {
    it(`may not be ${JSON.stringify(configString)}`, async () => {
      await assert.rejects(create(configString), { code, message });
      assert.deepEqual(await database.listCollections().toArray(), []);
    });
  }

  it('stands alone among the settings of the engine', async () => {
    await assert.rejects(
      database.command({ create: 'c', storageEngine: { wiredTiger: { compressor: 'zstd' } } }),
      { code: 72, message: "'compressor' is not a supported option." },
    );
  });

  it('tells sizes that are true: what is stored is less than what was given', async () => {
    await create('block_compressor=zstd');
    const documents = Array.from({ length: 500 }, (_, index) => ({
      _id: index,
      text: 'the same words again and again '.repeat(30),
    }));
    await database.collection<Document & { _id: number }>('c').insertMany(documents);
    await server.client.db('admin').command({ fsync: 1 });
    const stats = await database.command({ collStats: 'c' });
    assert.ok(stats.size > 400_000);
    assert.ok(stats.storageSize > 0);
    assert.ok(stats.storageSize < 0.4 * stats.size, `${stats.storageSize} of ${stats.size}`);
    assert.equal(stats.wiredTiger['block-manager']['file size in bytes'], stats.storageSize);
  });
});
