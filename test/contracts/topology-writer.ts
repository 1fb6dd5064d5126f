/** Counts in a topology until it is killed, and says each number once it is kept. Run by topology.test.ts. */
import { documentOf, int32Value, stringValue } from '../../bson/index.ts';
import { systemClock } from '../../common/clock.ts';
import { uninterruptible } from '../../common/interruption.ts';
import { systemRandom } from '../../common/random.ts';
import { EmbeddedTopology } from '../../config-server/topology/embedded-topology.ts';
import { openEngine } from '../../storage/index.ts';

const engine = await openEngine({ dbpath: process.argv[2], deltaBytes: 8 * 1024 * 1024 });
const topology = new EmbeddedTopology({
  engine,
  clock: systemClock,
  newObjectId: () => systemRandom.bytes(12),
});
const key = { set: 'counters', id: stringValue('n') };
let before: Buffer | undefined;
for (let value = 1; value < 100_000; value += 1) {
  const after = documentOf({ _id: 'n', value: int32Value(value) });
  const change = { expected: [{ key, value: before }], puts: [{ key, value: after }] };
  if (!(await topology.compareAndSet(change, uninterruptible))) throw new Error('lost a race');
  process.stdout.write(`${value}\n`);
  before = after;
}
