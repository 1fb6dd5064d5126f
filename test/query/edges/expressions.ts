/**
 * Tables of expressions: the input stands for the path `$v`.
 */
import { BSON } from 'mongodb';
import { rawValueOf } from '../../../bson/index.ts';
import { ManualClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import { compileExpression, Scope, simpleContext } from '../../../query/index.ts';
import { type Line, MISSING, outcomeOf, shownField, type Table } from './edge.ts';

const CONTEXT = simpleContext(new ManualClock(), new SeededRandom(7));

const serialized = (document: object): Buffer =>
  Buffer.from(BSON.serialize(document, { ignoreUndefined: false }));

function evaluate(expression: unknown, document: object): string {
  const argument = rawValueOf(serialized({ r: expression }).subarray(4));
  const value = compileExpression(argument, CONTEXT).evaluate(new Scope(serialized(document)));
  if (value === undefined) return 'missing';
  const bytes = value.toBytes();
  const result = Buffer.concat([Buffer.from([0, 0, 0, 0, value.type, 0x76, 0]), bytes, ZERO]);
  result.writeInt32LE(result.length, 0);
  return shownField(result);
}

const ZERO = Buffer.from([0]);

/** The expression with the value itself in the place of its path. */
function withConstant(expression: unknown, value: unknown): unknown {
  if (expression === '$v') return value === MISSING ? '$$REMOVE' : { $literal: value };
  if (Array.isArray(expression)) return expression.map((item) => withConstant(item, value));
  if (typeof expression !== 'object' || expression === null || '_bsontype' in expression) {
    return expression;
  }
  if (expression instanceof Date) return expression;
  const entries = Object.entries(expression);
  return Object.fromEntries(entries.map(([key, item]) => [key, withConstant(item, value)]));
}

/**
 * Each line is computed twice: with the input as a field of the document, and as a constant.
 * @param operator what the table is about, where another one stands around it
 */
export function expression(
  template: object,
  lines: readonly Line[],
  operator = Object.keys(template)[0]!,
): Table {
  return {
    operator,
    title: BSON.EJSON.stringify(template),
    lines,
    run: (input) => {
      const document = input === MISSING ? {} : { v: input };
      return [
        outcomeOf(() => evaluate(template, document)),
        outcomeOf(() => evaluate(withConstant(template, input), {})),
      ];
    },
  };
}

/** Lines whose input is the argument itself: for what an operator checks before it sees a document. */
export function argument(
  operator: string,
  template: (input: unknown) => object,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(template('...'))} with the argument`,
    lines,
    run: (input) => [outcomeOf(() => evaluate(template(input), {}))],
  };
}

/** The same lines for several operators. */
export const alike = (
  operators: readonly string[],
  template: (operator: string) => object,
  lines: readonly Line[],
): Table[] => operators.map((operator) => expression(template(operator), lines));
