/**
 * Is it worth while to keep documents raw? Each task over 100,000 cached documents of about 1 KiB: the query floor beside
 * `bson.deserialize` of every document and plain JavaScript that does the same, in one run.
 *
 * Estimate: deserialize costs 3-5 µs a document of 14 fields, so everything that looks at few fields of a raw document
 * (0.1-0.5 µs) must win by ten times and more; a full sort is bound by comparisons and wins by less.
 * Run: `npm run bench -- query/plain-javascript`.
 */
import { deserialize, serialize, type Document } from 'bson';
import { documentValue } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { systemRandom } from '../../../common/random.ts';
import {
  compileFilter,
  compileUpdate,
  planAggregate,
  planQuery,
  simpleContext,
  type QueryPlan,
} from '../../../query/index.ts';
import { openEngine } from '../../../storage/index.ts';

const COUNT = 100_000;
const ROUNDS = 5;
const FILLER = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(20);

const context = simpleContext(systemClock, systemRandom);
const bytes = (document: Document): Buffer => Buffer.from(serialize(document));

interface Order {
  _id: number;
  category: string;
  age: number;
  price: number;
  city: string;
  seen: number;
}

const engine = await openEngine();
const documents: Buffer[] = [];
for (let first = 0; first < COUNT; first += 5000) {
  const write = engine.begin();
  if (first === 0) write.createCollection('bench.orders');
  const collection = write.collection('bench.orders')!;
  for (let index = first; index < first + 5000; index += 1) {
    const document = bytes({
      _id: index,
      name: `name ${index}`,
      age: index % 90,
      note: FILLER.slice(0, 250),
      city: `city ${index % 50}`,
      category: `c${index % 10}`,
      price: ((index * 7919) % 100_003) * 0.5,
      tags: ['red', 'green', `t${index % 20}`],
      address: { street: FILLER.slice(0, 100), geo: { lat: index % 90, lng: 1 } },
      made: new Date(1_700_000_000_000 + index),
      isOpen: index % 3 === 0,
      filler: FILLER.slice(0, 380),
      seen: 0,
    });
    documents.push(document);
    write.insert(collection, document);
  }
  write.commit();
}
const view = engine.snapshot();
const collection = view.collection('bench.orders')!;

interface Task {
  readonly name: string;
  readonly raw: () => Promise<number> | number;
  readonly plain: () => number;
}

async function count(plan: QueryPlan): Promise<number> {
  // As who counts does: no document is looked at after the next one was asked for.
  const executor = plan.open(view, uninterruptible, { inPlace: true });
  let results = 0;
  for (;;) {
    const next = executor.next();
    if ((next instanceof Promise ? await next : next) === undefined) break;
    results += 1;
  }
  executor.close();
  return results;
}

const find = (request: { filter?: Document; sort?: Document; limit?: number }): QueryPlan =>
  planQuery(
    view,
    collection,
    {
      filter: bytes(request.filter ?? {}),
      ...(request.sort === undefined ? {} : { sort: bytes(request.sort) }),
      ...(request.limit === undefined ? {} : { limit: request.limit }),
    },
    context,
  );

const aggregate = (...pipeline: Document[]): QueryPlan =>
  planAggregate(
    view,
    collection,
    { namespace: 'bench.orders', pipeline: pipeline.map(bytes) },
    context,
  );

const decoded = (): Order[] => documents.map((document) => deserialize(document) as Order);

const update = compileUpdate(documentValue(bytes({ $set: { seen: 1 } })), { context });
const three = { category: 'c7', age: { $gte: 20 }, price: { $lt: 25_000 } };

const TASKS: readonly Task[] = [
  {
    name: 'filter, one predicate',
    raw: () => count(find({ filter: { category: 'c7' } })),
    plain: () => decoded().filter(({ category }) => category === 'c7').length,
  },
  {
    name: 'filter, three predicates',
    raw: () => count(find({ filter: three })),
    plain: () =>
      decoded().filter(
        ({ category, age, price }) => category === 'c7' && age >= 20 && price < 25_000,
      ).length,
  },
  {
    name: 'filter, compiled alone',
    raw: () => {
      const filter = compileFilter(bytes(three), context);
      return documents.filter((document) => filter.matches(document)).length;
    },
    plain: () =>
      decoded().filter(
        ({ category, age, price }) => category === 'c7' && age >= 20 && price < 25_000,
      ).length,
  },
  {
    name: '$group by a string, $sum',
    raw: () => count(aggregate({ $group: { _id: '$city', total: { $sum: '$price' } } })),
    plain: () => {
      const totals = new Map<string, number>();
      for (const { city, price } of decoded()) totals.set(city, (totals.get(city) ?? 0) + price);
      return totals.size;
    },
  },
  {
    name: '$sort',
    raw: () => count(aggregate({ $sort: { price: 1 } })),
    plain: () => decoded().sort((a, b) => a.price - b.price).length,
  },
  {
    name: '$sort, $limit 10',
    raw: () => count(aggregate({ $sort: { price: 1 } }, { $limit: 10 })),
    plain: () =>
      decoded()
        .sort((a, b) => a.price - b.price)
        .slice(0, 10).length,
  },
  {
    name: '$project of three fields',
    raw: () => count(aggregate({ $project: { _id: 0, category: 1, age: 1, price: 1 } })),
    plain: () =>
      decoded().map(({ category, age, price }) => serialize({ category, age, price })).length,
  },
  {
    name: 'update of one field',
    raw: () => documents.map((document) => update.apply(document)).length,
    plain: () => decoded().map((document) => serialize({ ...document, seen: 1 })).length,
  },
];

async function fastest(
  run: () => Promise<number> | number,
): Promise<[ms: number, results: number]> {
  let best = Infinity;
  let results = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    results = await run();
    best = Math.min(best, performance.now() - start);
  }
  return [best, results];
}

process.stdout.write(`${COUNT} documents of ${documents[0].length} bytes, best of ${ROUNDS}\n`);
for (const task of TASKS) {
  const [rawMs, rawResults] = await fastest(task.raw);
  const [plainMs, plainResults] = await fastest(task.plain);
  if (rawResults !== plainResults) {
    throw new Error(`${task.name}: ${rawResults} results against ${plainResults}`);
  }
  const perSecond = (ms: number): string =>
    `${Math.round(COUNT / ms)
      .toString()
      .padStart(6)} k/s`;
  const ratio = (plainMs / rawMs).toFixed(1).padStart(6);
  process.stdout.write(
    `${task.name.padEnd(26)} raw ${perSecond(rawMs)}  plain ${perSecond(plainMs)}  ${ratio} times\n`,
  );
}
view.close();
await engine.close();
