import assert from 'node:assert/strict';
import type { Db, Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('stages that read the server', () => {
  const server = serverForTests();
  let admin: Db;

  before(() => {
    admin = server.client.db('admin');
  });

  const run = (database: Db, ...pipeline: Document[]): Promise<Document[]> =>
    database.aggregate(pipeline).toArray();

  it('keep no statistics of query shapes, and say so with no documents', async () => {
    assert.deepEqual(await run(admin, { $queryStats: {} }), []);
    assert.deepEqual(
      await run(admin, { $queryStats: { transformIdentifiers: { algorithm: 'hmac-sha-256' } } }),
      [],
    );
  });

  it('refuse $queryStats elsewhere, and options that it does not have', async () => {
    await assert.rejects(run(server.freshDatabase(), { $queryStats: {} }), { code: 73 });
    await assert.rejects(run(admin, { $queryStats: { colour: 1 } }), { code: 9 });
  });

  it('list the catalog: one collection, or all from the database admin', async () => {
    const db = server.freshDatabase();
    await db.createCollection('plain');
    await db.collection('plain').createIndex({ a: 1 });
    await db.createCollection('shown', { viewOn: 'plain', pipeline: [{ $match: { a: 1 } }] });
    await assert.rejects(run(db, { $listCatalog: {} }), { code: 73 });
    const [found] = await db
      .collection('plain')
      .aggregate([{ $listCatalog: {} }])
      .toArray();
    const { db: database, name, type, md, idxIdent, ns } = found ?? {};
    assert.deepEqual(
      [database, name, type, ns],
      [db.databaseName, 'plain', 'collection', `${database}.plain`],
    );
    assert.deepEqual(
      md.indexes.map(({ spec }: Document) => spec.name),
      ['_id_', 'a_1'],
    );
    assert.deepEqual(Object.keys(idxIdent), ['_id_', 'a_1']);
    const all = await run(admin, { $listCatalog: {} }, { $match: { db: database } });
    assert.deepEqual(
      all.map(({ name: each, type: kind, viewOn }) => [each, kind, viewOn]),
      [
        ['plain', 'collection', undefined],
        ['shown', 'view', 'plain'],
        ['system.views', 'collection', undefined],
      ],
    );
    await assert.rejects(run(admin, { $listCatalog: { x: 1 } }), { code: 6200600 });
  });

  it('know no settings of queries, and refuse what belongs to sets and clusters', async () => {
    assert.deepEqual(await run(admin, { $querySettings: {} }), []);
    await assert.rejects(run(admin, { $querySettings: { x: 1 } }), { code: 40415 });
    await assert.rejects(run(admin, { $listSampledQueries: {} }), { code: 20 });
    await assert.rejects(run(admin, { $changeStream: {} }), { code: 40573 });
    await assert.rejects(run(admin, { $shardedDataDistribution: {} }), { code: 6789101 });
  });

  it('list the sessions of this server', async () => {
    const client = server.client.startSession();
    try {
      await admin.command({ ping: 1 }, { session: client });
      const sessions = await run(admin, { $listLocalSessions: {} });
      assert.ok(sessions.length >= 1);
    } finally {
      await client.endSession();
    }
  });
});
