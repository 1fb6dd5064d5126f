/** A program for lmdb-store.test.ts: commits until it is killed, and prints each commit's number once it is durable. */
import { writeSync } from 'node:fs';
import { systemClock } from '../../../common/clock.ts';
import type { CommitNumber, Ident, RecordId } from '../../../storage/contract.ts';
import { treeKey } from '../../../storage/format/tree-key.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { openLmdbIndexStore } from '../../../storage/indexes/lmdb-store.ts';
import { STORE_ID } from '../../contracts/index-store.ts';

const path = process.argv[2];
const store = await openLmdbIndexStore({
  path,
  storeId: STORE_ID,
  create: false,
  clock: systemClock,
});
for (let checkpoint = store.stamp.checkpoint + 1; ; checkpoint += 1) {
  const commitNumber = checkpoint as CommitNumber;
  const changes = new IndexChanges();
  for (let record = 1; record <= 2000; record += 1) {
    const place = {
      sector: record,
      sectors: 1,
      slot: 1,
      bytes: 1,
      generation: checkpoint,
      commitNumber,
    };
    changes.setRecord(20 as Ident, record as RecordId, place);
    const key = treeKey(21 as Ident, Buffer.from(`record ${record}`));
    changes.put(key, Buffer.from(String(checkpoint)));
  }
  await store.commit(changes, { checkpoint, applied: commitNumber });
  writeSync(1, `${checkpoint}\n`);
}
