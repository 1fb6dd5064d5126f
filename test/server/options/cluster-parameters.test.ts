import assert from 'node:assert/strict';
import { documentOf, getField, timestampValue } from '../../../bson/index.ts';
import { ClusterParameters } from '../../../server/options/cluster-parameters.ts';
import { createCollection, insert, openMemoryEngine } from '../../storage/engine/fixture.ts';

describe('ClusterParameters', () => {
  it('are what was set before this start, and leave unknown ones alone', async () => {
    const engine = await openMemoryEngine();
    const collection = createCollection(engine, 'config.clusterParameters');
    const clusterParameterTime = timestampValue(7, 1);
    insert(
      engine,
      collection,
      documentOf({ _id: 'defaultMaxTimeMS', clusterParameterTime, readOperations: 123 }),
    );
    insert(engine, collection, documentOf({ _id: 'somethingElse', x: 1 }));
    const parameters = new ClusterParameters();
    assert.equal(parameters.defaultReadLimitMs, 0);
    const view = engine.snapshot();
    await parameters.load(view);
    view.close();
    assert.equal(parameters.defaultReadLimitMs, 123);
    const shown = parameters.describe('defaultMaxTimeMS');
    assert.deepEqual(getField(shown, 'clusterParameterTime')?.asTimestamp(), {
      seconds: 7,
      increment: 1,
    });
    await engine.close();
  });

  it('are there without a collection, too', async () => {
    const engine = await openMemoryEngine();
    const parameters = new ClusterParameters();
    const view = engine.snapshot();
    await parameters.load(view);
    view.close();
    assert.deepEqual(parameters.names(), ['defaultMaxTimeMS']);
    await engine.close();
  });
});
