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
