import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  documentOf,
  doubleValue,
  int32Value,
  int64Value,
  NULL,
  UNDEFINED_VALUE,
  type RawValue,
} from '../../../bson/index.ts';
import { SeededRandom } from '../../../common/random.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import type { RecordId } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert, openMemoryEngine, remove } from './fixture.ts';

/** Three keys; the values of each differ in their type bits only. */
const VALUES: readonly RawValue[] = [
  int32Value(1),
  doubleValue(1),
  int64Value(1n),
  int32Value(2),
  doubleValue(2),
  NULL,
  UNDEFINED_VALUE,
];

describe('Index entries whose type bits change', () => {
  it('go with their records, though older ones lie below', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const random = new SeededRandom(seed);
      const engine = await openMemoryEngine();
      const collection = createCollection(engine, 'test.a', A_INDEX);
      const ids: RecordId[] = [];
      for (let id = 0; id < 5; id += 1) {
        const document = documentOf({ _id: id, a: VALUES[random.below(VALUES.length)] });
        ids.push(insert(engine, collection, document).recordId);
      }
      for (let step = 0; step < 120; step += 1) {
        const position = random.below(ids.length);
        const recordId = ids[position];
        const transaction = engine.begin();
        for (let left = random.below(3); left >= 0; left -= 1) {
          const before = await transaction.record(collection, recordId);
          assert.ok(before !== undefined);
          const after = documentOf({ _id: position, a: VALUES[random.below(VALUES.length)] });
          transaction.update(collection, recordId, before, after);
        }
        transaction.commit();
        if (random.below(10) === 0) await engine.checkpoint();
      }
      await remove(engine, collection, ids[0]);
      const report = await engine.validate('test.a', { full: true }, uninterruptible);
      assert.deepEqual(report.errors, [], `seed ${seed}`);
      await engine.close();
    }
  });
});
