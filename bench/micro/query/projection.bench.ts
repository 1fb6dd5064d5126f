/**
 * What does it cost to project one document of about 1 KiB?
 *
 * Estimate: the walk over the names (100 ns), one copy per run of kept fields and one of the result (150 ns): 250-400 ns
 * for plain inclusions and exclusions; a computed field adds its expression and its value's bytes (100-150 ns).
 * Run: `npm run bench -- query/projection`.
 */
import { serialize, type Document } from 'bson';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { simpleContext } from '../../../query/context.ts';
import { compileProjection } from '../../../query/projection/compile.ts';
import { nsPerCall, report } from '../bson/measure.ts';

const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(6);
const context = simpleContext(systemClock, systemRandom);
const document = Buffer.from(
  serialize({
    _id: 1,
    name: 'flint',
    age: 36,
    note: text,
    address: { street: text.slice(0, 60), city: 'London', geo: { lat: 51.5, lng: -0.1 } },
    items: Array.from({ length: 6 }, (_, index) => ({ sku: `item-${index}`, price: index * 2.5 })),
    filler: text,
    end: true,
  }),
);

const PROJECTIONS: Record<string, [projection: Document, goal?: number]> = {
  '{_id: 1, name: 1, age: 1}, the first fields': [{ name: 1, age: 1 }, 200],
  '{name: 1, end: 1}, first and last': [{ name: 1, end: 1 }, 400],
  '{note: 0, filler: 0}': [{ note: 0, filler: 0 }, 400],
  '{nope: 0}, nothing falls away': [{ nope: 0 }],
  "{'address.city': 1}": [{ 'address.city': 1 }],
  "{'items.sku': 1}, six documents": [{ 'items.sku': 1 }],
  '{items: {$slice: 2}}': [{ items: { $slice: 2 } }],
  '{items: {$elemMatch: {sku: "item-3"}}}': [{ items: { $elemMatch: { sku: 'item-3' } } }],
  '{double: {$multiply: ["$age", 2]}}': [{ double: { $multiply: ['$age', 2] } }],
};

for (const [name, [projection, goal]] of Object.entries(PROJECTIONS)) {
  const compiled = compileProjection(Buffer.from(serialize(projection)), { context });
  report(
    name,
    nsPerCall(() => compiled.apply(document)),
    goal,
  );
}
