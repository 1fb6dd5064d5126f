import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { CorruptionError } from '../../../common/errors.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { memoryFiles } from '../../../storage/recovery/store-files.ts';
import { openEngine } from '../../../storage/index.ts';
import { createCollection, insert } from '../engine/fixture.ts';

describe('Admission', () => {
  it('lets nobody wait beyond the close of the engine, though no checkpoint succeeds', async () => {
    const files = memoryFiles();
    const engine = await openEngine({
      checkpointIntervalMs: 0,
      deltaBytes: 512 * 1024,
      files: {
        ...files,
        openIndexStore: async (opening) => {
          const store = await files.openIndexStore(opening);
          store.commit = () =>
            Promise.reject(new CorruptionError('checksum', 'index store', 'a page is damaged'));
          return store;
        },
      },
    });
    const collection = createCollection(engine, 'test.a');
    for (let id = 0; id < 40; id += 1) {
      insert(engine, collection, documentOf({ _id: id, text: 'x'.repeat(32 * 1024) }));
    }
    const admitted = Promise.resolve(engine.admitWrite(uninterruptible));
    const refused = assert.rejects(admitted, { codeName: 'InterruptedAtShutdown' });
    await engine.close();
    await refused;
  });
});
