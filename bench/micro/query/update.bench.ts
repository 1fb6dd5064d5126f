/**
 * What does it cost to apply an update to one document of about 1 KiB?
 *
 * Estimate: the walk (50-100 ns), one allocation and copy of the result (150 ns), little objects per application (100 ns):
 * 300-500 ns for a $set of a field; an array of 100 elements costs its walk (1 us) when one is pushed.
 * Run: `npm run bench -- query/update`.
 */
import { serialize, type Document } from 'bson';
import { documentValue } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { simpleContext } from '../../../query/context.ts';
import { compileUpdate } from '../../../query/update/compile.ts';
import { nsPerCall, report } from '../bson/measure.ts';

const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(6);
const context = simpleContext(systemClock, systemRandom);
const ycsb = Buffer.from(
  serialize({
    _id: 'user6284781860667377211',
    ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`field${i}`, text.slice(0, 100)])),
  }),
);
const counters = Buffer.from(
  serialize({
    _id: 1,
    n: 5,
    filler: text.repeat(4),
    o: { a: { b: 1 } },
    list: Array.from({ length: 100 }, (_, i) => i),
    docs: Array.from({ length: 20 }, (_, i) => ({ k: i, v: 'x' })),
  }),
);

const UPDATES: Record<string, [document: Buffer, update: Document, goal?: number]> = {
  '$set of one field of ycsb': [ycsb, { $set: { field5: text.slice(0, 99) } }, 500],
  '$set of all ten fields of ycsb': [
    ycsb,
    {
      $set: Object.fromEntries(
        Array.from({ length: 10 }, (_, i) => [`field${i}`, text.slice(0, 90)]),
      ),
    },
  ],
  '$set that changes nothing': [ycsb, { $set: { field5: text.slice(0, 100) } }],
  $inc: [counters, { $inc: { n: 1 } }, 500],
  '$inc of a nested field': [counters, { $inc: { 'o.a.b': 1 } }],
  '$set of a new field': [counters, { $set: { fresh: 1 } }],
  '$push to 100 elements': [counters, { $push: { list: 7 } }, 1500],
  '$push with $slice: -100': [counters, { $push: { list: { $each: [7], $slice: -100 } } }],
  '$addToSet to 100 elements': [counters, { $addToSet: { list: 1000 } }],
  '$pull from 100 elements': [counters, { $pull: { list: { $gte: 50 } } }],
  '$set of one of 20 documents in an array': [counters, { $set: { 'docs.10.v': 'y' } }],
  '$set of all 20 documents': [counters, { $set: { 'docs.$[].v': 'y' } }],
  'a replacement': [counters, { a: 1, filler: text.repeat(4) }],
};

for (const [name, [document, update, goal]] of Object.entries(UPDATES)) {
  const compiled = compileUpdate(documentValue(Buffer.from(serialize(update))), { context });
  report(
    name,
    nsPerCall(() => compiled.apply(document)),
    goal,
  );
}
report(
  'compile and apply {$set: {field5: ...}}',
  nsPerCall(() =>
    compileUpdate(documentValue(Buffer.from(serialize({ $set: { field5: 'x' } }))), {
      context,
    }).apply(ycsb),
  ),
);
