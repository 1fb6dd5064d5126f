/**
 * Collections that a server which ended in between has left behind.
 */
import assert from 'node:assert/strict';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import {
  dropAllTemporary,
  temporaryNamespace,
  temporaryOptions,
} from '../../../server/catalog/temporary-collections.ts';
import { openEngine } from '../../../storage/index.ts';

describe('temporary collections', () => {
  it('are dropped when the server starts again, and no others', async () => {
    const engine = await openEngine({ deltaBytes: 8 * 1024 * 1024 });
    const transaction = engine.begin();
    transaction.createCollection('db.lasting');
    // A name alone says nothing: clients may use it.
    transaction.createCollection('db.tmp.agg_out.mine');
    const options = temporaryOptions(EMPTY_DOCUMENT);
    transaction.createCollection(temporaryNamespace('db.target', Buffer.from('beef', 'hex')), {
      options,
    });
    transaction.commit();
    dropAllTemporary(engine);
    const view = engine.snapshot();
    assert.deepEqual(
      view.collections().map(({ namespace }) => namespace),
      ['db.lasting', 'db.tmp.agg_out.mine'],
    );
    view.close();
    await engine.close();
  });
});
