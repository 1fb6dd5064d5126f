/**
 * Tables of expression cases: evaluated over one document, compared byte for byte, so that types count.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import { rawValueOf, type RawValue } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  compileExpression,
  type QueryContext,
  Scope,
  simpleContext,
} from '../../../query/index.ts';

export const context: QueryContext = simpleContext(new ManualClock(), new SeededRandom(7));

/** What every expression reads unless its case brings a document of its own. */
export const DOCUMENT = {
  n: null,
  i: 7,
  d: new BSON.Double(2.5),
  s: 'text',
  a: [3, 1, 2],
  o: { x: 1, y: { z: 'deep' } },
  list: [{ v: 1 }, { v: 2 }, { w: 3 }, 5],
  t: true,
  when: new Date('2017-02-08T12:10:40.787Z'),
};

/** The result of a missing value. */
export const MISSING = Symbol('missing');

export interface ErrorCode {
  readonly code: number;
}

export type Case = readonly [expression: unknown, expected: unknown, document?: object];

const serialized = (value: unknown): Buffer =>
  Buffer.from(BSON.serialize({ r: value }, { ignoreUndefined: false }));

function valueOf(value: unknown): RawValue {
  return rawValueOf(serialized(value).subarray(4));
}

export function evaluate(expression: unknown, document: object = DOCUMENT): RawValue | undefined {
  const compiled = compileExpression(valueOf(expression), context);
  return compiled.evaluate(new Scope(Buffer.from(BSON.serialize(document))));
}

function show(value: unknown): string {
  return value === MISSING ? 'missing' : BSON.EJSON.stringify({ v: value }, { relaxed: false });
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'code';
}

/** One test per case, named by the expression. */
export function testCases(cases: readonly Case[]): void {
  for (const [expression, expected, document] of cases) {
    const shown = BSON.EJSON.stringify({ e: expression }).slice(5, -1);
    if (isErrorCode(expected)) {
      it(`${shown} fails with ${expected.code}`, () => {
        assert.throws(
          () => evaluate(expression, document),
          (error) => error instanceof CommandError && error.code === expected.code,
        );
      });
      continue;
    }
    it(`${shown} is ${show(expected).slice(5, -1)}`, () => {
      const result = evaluate(expression, document);
      if (expected === MISSING) assert.equal(result, undefined);
      else {
        assert.ok(result !== undefined, 'the result is missing');
        const wanted = valueOf(expected);
        assert.equal(result.typeName, wanted.typeName);
        assert.equal(result.toBytes().toString('hex'), wanted.toBytes().toString('hex'));
      }
    });
  }
}

export const fails = (code: number): ErrorCode => ({ code });
export const double = (value: number): BSON.Double => new BSON.Double(value);
export const long = (value: string | number): BSON.Long => BSON.Long.fromString(String(value));
export const decimal = (text: string): BSON.Decimal128 => BSON.Decimal128.fromString(text);
