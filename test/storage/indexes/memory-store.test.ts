import assert from 'node:assert/strict';
import { DeviceError } from '../../../common/errors.ts';
import { SeededRandom } from '../../../common/random.ts';
import type { CommitNumber, Ident } from '../../../storage/contract.ts';
import { treeKey } from '../../../storage/format/tree-key.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';
import { STORE_ID } from '../../contracts/index-store.ts';

const KEY = treeKey(16 as Ident, Buffer.from('a'));

describe('memory index store', () => {
  it('after a power cut has a commit that was in flight whole or not at all, by the seed', async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const disk = new MemoryIndexDisk();
      const store = await openMemoryIndexStore({ disk, storeId: STORE_ID, create: true });
      const changes = new IndexChanges();
      changes.put(KEY, Buffer.from('1'));
      const stamp = { checkpoint: 1, applied: 1 as CommitNumber };
      const commit = store.commit(changes, stamp);
      const lost = assert.rejects(
        commit,
        (error) => error instanceof DeviceError && error.errno === 'ENODEV',
      );
      disk.powerCut(new SeededRandom(seed));
      await lost;
      assert.throws(() => store.beginRead(), /power was lost/);
      const after = await openMemoryIndexStore({ disk, storeId: STORE_ID, create: false });
      const value = after.beginRead().get(KEY)?.toString();
      outcomes.add(`${value} ${after.stamp.checkpoint}`);
    }
    assert.deepEqual([...outcomes].toSorted(), ['1 1', 'undefined 0']);
  });

  it('keeps what was durable through a power cut', async () => {
    const disk = new MemoryIndexDisk();
    const store = await openMemoryIndexStore({ disk, storeId: STORE_ID, create: true });
    const changes = new IndexChanges();
    changes.put(KEY, Buffer.from('1'));
    await store.commit(changes, { checkpoint: 1, applied: 1 as CommitNumber });
    disk.powerCut(new SeededRandom(1));
    const after = await openMemoryIndexStore({ disk, storeId: STORE_ID, create: false });
    assert.equal(after.beginRead().get(KEY)?.toString(), '1');
  });
});
