/**
 * A process that writes to a store, tells each commit that is on the device, and dies inside a checkpoint.
 *
 * Arguments: directory, name of the fail point. Prints `ready`, then `flushed <id>` per document.
 */
import { documentOf } from '../../../bson/index.ts';
import { FailPoints } from '../../../common/failpoints.ts';
import { SeededRandom } from '../../../common/random.ts';
import { openEngine } from '../../../storage/index.ts';
import { A_INDEX, createCollection, insert, update } from '../engine/fixture.ts';

const [dbpath, point] = process.argv.slice(2);
const failPoints = new FailPoints(new SeededRandom(1));
const engine = await openEngine({ dbpath, failPoints, checkpointIntervalMs: 0 });
const collection = createCollection(engine, 'test.a', A_INDEX);
for (let id = 1; id <= 300; id += 1) insert(engine, collection, documentOf({ _id: id, a: 0 }));
await engine.checkpoint();
failPoints.configure(point, { kind: 'alwaysOn' }, { crash: true });
let dying: Promise<void> | undefined;
for (let id = 1; ; id += 1) {
  const commitNumber = await update(
    engine,
    collection,
    ((id % 300) + 1) as never,
    documentOf({ _id: (id % 300) + 1, a: id }),
  );
  await engine.flushed(commitNumber);
  process.stdout.write(`flushed ${id}\n`);
  if (id === 100) dying = engine.checkpoint();
  if (id === 100_000) break;
}
await dying;
