/**
 * Question: what does a write cost, from begin() to commit() returning, journal encoding and unique check included?
 *
 * Estimate beforehand: key encoding 0.3 us, unique check and insertion into the key table 0.5 us each, journal copy and
 * document copy 0.2 us each, objects and pins 1 us: 4-5 us for 100 B and one index; a second index 1.5 us more.
 * Run: `npm run bench -- storage/commit`.
 */
import { documentOf, DocumentBuilder } from '../../../bson/index.ts';
import { systemRandom } from '../../../common/random.ts';
import {
  openEngine,
  type CollectionDescription,
  type StorageEngine,
} from '../../../storage/index.ts';
import { line } from './measure.ts';

const COUNT = 60_000;
/** Commits in one turn of the event loop, as a server with many connections has them. */
const PER_TURN = 64;
const A_INDEX = documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a_1' });

function documents(padBytes: number): Buffer[] {
  return Array.from({ length: COUNT }, (_, index) => {
    const id = systemRandom.bytes(12);
    id.writeUInt32BE(0x6500_0000 + Math.floor(index / 5000), 0);
    return new DocumentBuilder()
      .appendObjectId('_id', id)
      .appendInt32('a', (index * 7919) % COUNT)
      .appendString('pad', 'x'.repeat(padBytes))
      .finish();
  });
}

function create(engine: StorageEngine, namespace: string, indexed: boolean): CollectionDescription {
  const transaction = engine.begin();
  const collection = transaction.createCollection(namespace);
  if (indexed) transaction.createIndex(collection, A_INDEX);
  transaction.commit();
  return collection;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const engine = await openEngine({ checkpointIntervalMs: 0 });
for (const [what, padBytes, indexed, perCommit] of [
  ['warm-up', 60, true, 1],
  ['insert of 100 B, _id only', 60, false, 1],
  ['insert of 1 KiB, _id only', 980, false, 1],
  ['insert of 100 B, _id and a', 60, true, 1],
  ['insert of 1 KiB, 1000 per commit', 980, false, 1000],
] as const) {
  const collection = create(engine, `bench.${what}`, indexed);
  const inserted = documents(padBytes);
  let ms = 0;
  for (let start = 0; start < COUNT; start += Math.max(PER_TURN, perCommit)) {
    const end = Math.min(COUNT, start + Math.max(PER_TURN, perCommit));
    const startMs = performance.now();
    for (let at = start; at < end;) {
      const transaction = engine.begin();
      for (let count = 0; count < perCommit && at < end; count += 1, at += 1) {
        transaction.insert(collection, inserted[at]);
      }
      transaction.commit();
    }
    ms += performance.now() - startMs;
    await turn();
  }
  line(what, `${((ms / COUNT) * 1000).toFixed(2)} us`);
  await engine.checkpoint();
}
await engine.close();
