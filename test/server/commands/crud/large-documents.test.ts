import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf, EMPTY_DOCUMENT, getField } from '../../../../bson/index.ts';
import { changeEach, writeTarget } from '../../../../server/commands/crud/matching-records.ts';
import { queryContext } from '../../../../server/commands/crud/query-context.ts';
import { OperationContext } from '../../../../server/operation/operation-context.ts';
import { openEngine } from '../../../../storage/index.ts';
import { startTestServer } from '../../test-server.ts';

describe('A write of many large documents', () => {
  it('changes all of them, though they do not fit into one transaction', async () => {
    const engine = await openEngine({ deltaBytes: 8 * 1024 * 1024 });
    const test = await startTestServer({ engine });
    const text = 'x'.repeat(500 * 1024);
    for (let id = 1; id <= 10; id += 1) {
      const transaction = engine.begin();
      const collection = transaction.collection('db.c') ?? transaction.createCollection('db.c');
      transaction.insert(collection, documentOf({ _id: id, text }));
      transaction.commit();
    }
    const op = new OperationContext(test.server.service, {
      commandName: 'test',
      database: 'db',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });
    const prepare = () => writeTarget({ filter: EMPTY_DOCUMENT }, queryContext(op, {}));
    const counts = await changeEach(op, { namespace: 'db.c', prepare }, (writer, found) => {
      const id = getField(found.document, '_id')?.asNumber() ?? 0;
      const after = documentOf({ _id: id, text, changed: true });
      writer.update(found.recordId, found.document, after);
      return true;
    });
    assert.deepEqual(counts, { matchedCount: 10, changedCount: 10 });
    op.finish();
    await test.stop();
    await engine.close();
  });
});
