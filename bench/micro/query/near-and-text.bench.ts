/**
 * How much of an index do searches for the nearest and for words read, and what do keys of such indexes cost?
 * Estimate: the ten nearest of 100,000 points: some hundred keys and a dozen documents, below 5 ms; an area of a thousandth of the
 * points: little more than its documents; a key of a point 5 µs, of a polygon 2 ms, of a word 1 µs.
 */
import { BSON } from 'mongodb';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom, systemRandom } from '../../../common/random.ts';
import {
  indexKeyGenerator,
  planQuery,
  type FindRequest,
  simpleContext,
} from '../../../query/index.ts';
import { openEngine } from '../../../storage/index.ts';

const COUNT = 100_000;
const RUNS = 20;
const NAMESPACE = 'bench.places';

const context = simpleContext(systemClock, systemRandom);
const random = new SeededRandom(1);
const between = (low: number, high: number): number => low + (high - low) * random.next();
const bytes = (document: object): Buffer => Buffer.from(BSON.serialize(document));
const WORDS = Array.from({ length: 5_000 }, (_, n) => `word${n.toString(36)}`);
const words = (count: number): string =>
  Array.from({ length: count }, () => WORDS[Math.floor(random.next() * WORDS.length)]).join(' ');

const INDEXES = [
  { v: 2, key: { at: '2dsphere' }, name: 'sphere', '2dsphereIndexVersion': 3 },
  { v: 2, key: { flat: '2d' }, name: 'plane' },
  {
    v: 2,
    key: { _fts: 'text', _ftsx: 1 },
    name: 'text',
    weights: { s: 1 },
    default_language: 'english',
    language_override: 'language',
    textIndexVersion: 3,
  },
];

const engine = await openEngine({ keyGenerators: indexKeyGenerator });

function fill(): number {
  const begun = performance.now();
  for (let first = 0; first < COUNT; first += 5_000) {
    const write = engine.begin();
    if (first === 0) {
      const made = write.createCollection(NAMESPACE);
      for (const index of INDEXES)
        write.createIndex(write.collection(made.namespace)!, bytes(index));
    }
    for (let i = first; i < first + 5_000; i += 1) {
      const at = [between(-180, 180), between(-90, 90)];
      const document = {
        _id: i,
        at: { type: 'Point', coordinates: at },
        flat: at,
        s: words(10),
      };
      write.insert(write.collection(NAMESPACE)!, bytes(document));
    }
    write.commit();
  }
  return performance.now() - begun;
}

process.stdout.write(
  `filled: ${((fill() * 1000) / COUNT).toFixed(1)} us a document with a point in two indexes and ten words in a third\n`,
);
const view = engine.snapshot();
const collection = view.collection(NAMESPACE)!;

async function measure(name: string, request: () => FindRequest): Promise<void> {
  const times: number[] = [];
  let keys = 0;
  let documents = 0;
  let returned = 0;
  for (let round = 0; round < RUNS; round += 1) {
    const begun = performance.now();
    const executor = planQuery(view, collection, request(), context).open(view, uninterruptible);
    for (;;) {
      const next = executor.next();
      if ((next instanceof Promise ? await next : next) === undefined) break;
      returned += 1;
    }
    times.push(performance.now() - begun);
    keys += executor.statistics.keysExamined;
    documents += executor.statistics.docsExamined;
    executor.close();
  }
  const median = times.toSorted((a, b) => a - b)[RUNS >> 1];
  const per = (sum: number): string => (sum / RUNS).toFixed(0).padStart(7);
  process.stdout.write(
    `${name.padEnd(44)} ${median.toFixed(2).padStart(8)} ms, returned ${per(returned)}, keys ${per(keys)}, documents ${per(documents)}\n`,
  );
}

const center = (): [number, number] => [between(-180, 180), between(-80, 80)];
const point = (): object => ({ type: 'Point', coordinates: center() });

await measure('$near on the sphere, limit 10', () => ({
  filter: bytes({ at: { $near: { $geometry: point() } } }),
  limit: 10,
}));
await measure('$near on the sphere, limit 1000', () => ({
  filter: bytes({ at: { $near: { $geometry: point() } } }),
  limit: 1_000,
}));
await measure('$near in the plane, limit 10', () => ({
  filter: bytes({ flat: { $near: center() } }),
  limit: 10,
}));
await measure('$geoWithin $centerSphere, 0.1 %', () => ({
  filter: bytes({ at: { $geoWithin: { $centerSphere: [center(), 0.0632] } } }),
}));
await measure('$geoWithin $geometry, 6 by 6 degrees', () => {
  const [x, y] = [between(-170, 170), between(-50, 50)];
  const ring = [
    [x, y],
    [x + 6, y],
    [x + 6, y + 6],
    [x, y + 6],
    [x, y],
  ];
  return {
    filter: bytes({ at: { $geoWithin: { $geometry: { type: 'Polygon', coordinates: [ring] } } } }),
  };
});
await measure('$geoWithin $box, 6 by 6', () => {
  const [x, y] = [between(-170, 170), between(-50, 50)];
  return {
    filter: bytes({
      flat: {
        $geoWithin: {
          $box: [
            [x, y],
            [x + 6, y + 6],
          ],
        },
      },
    }),
  };
});
await measure('$text, two words', () => ({ filter: bytes({ $text: { $search: words(2) } }) }));
await measure('$text, two words, by score, limit 10', () => ({
  filter: bytes({ $text: { $search: words(2) } }),
  projection: bytes({ score: { $meta: 'textScore' } }),
  sort: bytes({ score: { $meta: 'textScore' } }),
  limit: 10,
}));
view.close();
await engine.close();
