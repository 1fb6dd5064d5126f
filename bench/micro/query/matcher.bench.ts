/**
 * What does it cost to test one document of about 1 KiB against a compiled filter?
 *
 * Estimate: the walk to a field in the middle 30-60 ns, three fields in one walk 90 ns, an array of strings 110 ns; a
 * field at the end or missing costs the whole walk. Documents are varied, so that no branch is learnt by heart.
 * Run: `npm run bench -- query/matcher`.
 */
import { BSONRegExp, serialize, type Document } from 'bson';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { simpleContext } from '../../../query/context.ts';
import { nsPerCall, report } from '../bson/measure.ts';

const COUNT = 1000;
const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(6);
const context = simpleContext(systemClock, systemRandom);

/** 12 fields; `cat` stands in the middle, `end` last. */
function document(index: number): Buffer {
  return Buffer.from(
    serialize({
      _id: index,
      name: `name ${index}`,
      age: index % 90,
      note: text.slice(0, 200),
      city: `city ${index % 50}`,
      cat: `c${index % 10}`,
      price: index * 1.5,
      tags: ['red', 'green', `t${index % 20}`, 'blue'],
      address: { street: text.slice(0, 60), geo: { lat: index % 90, lng: 1 } },
      items: [
        { sku: 'a', count: index % 5 },
        { sku: 'b', count: 3 },
      ],
      filler: text.slice(0, 210),
      end: index % 7,
    }),
  );
}

const documents = Array.from({ length: COUNT }, (_, index) => document(index));

const FILTERS: Record<string, [filter: Document, goal?: number]> = {
  '{cat: "c7"}, in the middle': [{ cat: 'c7' }, 60],
  '{_id: 500}, the first field': [{ _id: 500 }, 30],
  '{end: 3}, the last field': [{ end: 3 }],
  '{nope: 1}, missing': [{ nope: 1 }],
  '{age: {$gte: 20, $lt: 60}}': [{ age: { $gte: 20, $lt: 60 } }],
  'three conditions, one walk': [{ cat: 'c7', age: { $gt: 20 }, price: { $lt: 1000 } }, 90],
  'three conditions that hold': [{ cat: { $ne: 'x' }, age: { $gte: 0 }, price: { $gte: 0 } }],
  '{tags: "t7"}, array of strings': [{ tags: 't7' }, 110],
  '{"address.geo.lat": {$gt: 85}}': [{ 'address.geo.lat': { $gt: 85 } }, 85],
  '{"items.count": 4}, array of documents': [{ 'items.count': 4 }],
  '{items: {$elemMatch: ...}}': [{ items: { $elemMatch: { sku: 'a', count: 4 } } }],
  '{cat: {$in: 3 strings}}': [{ cat: { $in: ['c1', 'c2', 'c3'] } }],
  '{cat: {$in: 100 strings}}': [
    { cat: { $in: Array.from({ length: 100 }, (_, index) => `c${index * 3}`) } },
  ],
  '{_id: {$in: 100 numbers}}': [
    { _id: { $in: Array.from({ length: 100 }, (_, index) => index * 3) } },
  ],
  '{$or: two fields}': [{ $or: [{ cat: 'c7' }, { age: 5 }] }],
  '{name: /^name 5/}': [{ name: new BSONRegExp('^name 5') }],
  '{name: /5.*7/}': [{ name: new BSONRegExp('5.*7') }],
  '{cat: {$exists: true}}': [{ cat: { $exists: true } }],
  '{$expr: {$gt: [$price, $age]}}': [{ $expr: { $gt: ['$price', '$age'] } }],
};

report('bytes of a document', documents[0].length);
for (const [name, [filter, goal]] of Object.entries(FILTERS)) {
  const compiled = compileFilter(Buffer.from(serialize(filter)), context);
  let next = 0;
  const ns = nsPerCall(() => {
    next = next + 1 === COUNT ? 0 : next + 1;
    return compiled.matches(documents[next]);
  });
  report(name, ns, goal);
}
