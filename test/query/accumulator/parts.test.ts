/**
 * Accumulators worked out in parts give what they give over all documents.
 */
import assert from 'node:assert/strict';
import { deserialize, serialize, Decimal128, Double, Int32, Long } from 'bson';
import { getField, NULL, stringValue, DocumentBuilder } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { simpleContext } from '../../../query/context.ts';
import { Scope } from '../../../query/expression/scope.ts';
import {
  accumulatorNames,
  findAccumulator,
  isMergeable,
} from '../../../query/accumulator/registry.ts';
import type { AccumulatorRole } from '../../../query/accumulator/definition.ts';

const context = simpleContext(systemClock, systemRandom);
const EMPTY = Buffer.from([5, 0, 0, 0, 0]);

/** The value of an accumulator over documents {v}, as a document {v} in its turn. */
function run(name: string, documents: readonly Buffer[], role: AccumulatorRole): Buffer {
  const definition = findAccumulator(name);
  assert.ok(definition !== undefined);
  const none = getField(Buffer.from(serialize({ v: {} })), 'v');
  assert.ok(none !== undefined);
  const argument = name === '$count' && role !== 'merge' ? none : stringValue('$v');
  const accumulator = definition.compile(argument, context, role).create(EMPTY);
  const scope = new Scope(EMPTY);
  for (const document of documents) {
    scope.document = document;
    accumulator.accept(scope);
  }
  return new DocumentBuilder().append('v', accumulator.result() ?? NULL).finish();
}

const VALUES = [
  [],
  [new Int32(1), new Int32(2), new Int32(3)],
  [new Int32(2 ** 31 - 1), new Int32(5), new Long(1n), new Int32(7)],
  [new Double(0.1), new Double(0.2), new Double(0.3), new Double(1e300), new Double(-1e300)],
  [new Double(Infinity), new Double(1), new Double(2)],
  [new Double(Infinity), new Int32(1), new Double(-Infinity)],
  [Long.MAX_VALUE, Long.MAX_VALUE, new Int32(1)],
  [Decimal128.fromString('0.1'), new Double(0.5), new Int32(3)],
  ['text', null, new Int32(4), new Int32(4)],
] as const;

/** Squares of others are infinite. */
const MODERATE = VALUES.filter((values) =>
  values.every((value) => !(Math.abs(Number(value)) > 1e100)),
);

describe('accumulators in parts', () => {
  it('knows which can be', () => {
    const merging = accumulatorNames().filter(isMergeable);
    for (const name of ['$sum', '$avg', '$count', '$min', '$max', '$push', '$addToSet']) {
      assert.ok(merging.includes(name), name);
    }
    assert.ok(!merging.includes('$topN') && !merging.includes('$accumulator'));
  });

  for (const name of [
    '$sum',
    '$avg',
    '$count',
    '$min',
    '$max',
    '$push',
    '$addToSet',
    '$stdDevPop',
    '$first',
  ]) {
    it(`${name} of parts is ${name} of all`, () => {
      for (const values of name === '$stdDevPop' ? MODERATE : VALUES) {
        const documents = values.map((v) => Buffer.from(serialize({ v })));
        for (let cut = 0; cut <= documents.length; cut += 1) {
          const parts = [documents.slice(0, cut), documents.slice(cut)].filter(
            (part) => part.length > 0,
          );
          const states = parts.map((part) => run(name, part, 'partial'));
          const merged = deserialize(run(name, states, 'merge'), { promoteValues: false });
          const whole = deserialize(run(name, documents, 'whole'), { promoteValues: false });
          if (name === '$stdDevPop')
            assert.ok(isClose(merged['v'], whole['v']), values.map(String).join());
          else assert.deepEqual(merged, whole);
        }
      }
    });
  }
});

function isClose(a: unknown, b: unknown): boolean {
  const [x, y] = [Number(a), Number(b)];
  return Object.is(x, y) || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(y));
}
