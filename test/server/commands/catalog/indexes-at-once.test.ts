/**
 * createIndexes of several clients at once, as programs do that start together.
 */
import assert from 'node:assert/strict';
import type { Document } from 'mongodb';
import { serverForTests } from '../../../support/test-server.ts';

describe('createIndexes of the same index by several clients at once', () => {
  const server = serverForTests();

  for (const documents of [0, 500, 6000]) {
    it(`makes it once, and is through for all when it is ready: ${documents} documents`, async () => {
      const database = server.freshDatabase();
      const collection = database.collection('c');
      const rows = Array.from({ length: documents }, (_, a) => ({ a }));
      if (documents > 0) await collection.insertMany(rows);
      const create = (): Promise<Document> =>
        database.command({ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'a_1' }] });
      const replies = await Promise.all([create(), create(), create(), create()]);
      for (const reply of replies) assert.equal(reply['ok'], 1);
      const { cursor } = await database.command({ listIndexes: 'c' });
      const names = cursor.firstBatch.map(({ name }: Document) => name);
      assert.deepEqual(names, ['_id_', 'a_1']);
    });
  }

  it('refuses one of another key by the same name, also while that is being built', async () => {
    const database = server.freshDatabase();
    await database.collection('c').insertMany(Array.from({ length: 6000 }, (_, a) => ({ a })));
    const create = (key: Document): Promise<Document> =>
      database.command({ createIndexes: 'c', indexes: [{ key, name: 'x' }] });
    const outcomes = await Promise.allSettled([create({ a: 1 }), create({ b: 1 })]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.equal(refused[0]?.reason.codeName, 'IndexKeySpecsConflict');
  });
});
