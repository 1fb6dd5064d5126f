/**
 * Whether an actual value is what a case expects: the matching rules of the Unified Test Format.
 *
 * Documents at the root may have more fields than expected, nested ones may not. Numbers are equal when their values are,
 * whatever their types. The driver makes plain numbers of int32 and double, so `$$type` tells them by value.
 */
import { Double, EJSON, Int32, Long } from 'bson';
import type { Document } from 'mongodb';
import { ExpectationError, MalformedCaseError } from './format.ts';
import { typeNamesOf } from './type-names.ts';

/** What the operators of an expectation can refer to. */
export interface MatchContext {
  /** The value of an entity. @throws MalformedCaseError when there is none. */
  readonly entityValue: (name: string) => unknown;
  /** The logical session id of a session entity. */
  readonly sessionId: (name: string) => unknown;
}

const NO_ENTITIES: MatchContext = {
  entityValue: noEntity,
  sessionId: noEntity,
};

function noEntity(name: string): never {
  throw new MalformedCaseError(`no entity '${name}' can be named here`);
}

export function matches(expected: unknown, actual: unknown, context = NO_ENTITIES): boolean {
  return differenceOf(expected, actual, context) === undefined;
}

/** @throws ExpectationError that names the first difference. */
export function assertMatches(
  expected: unknown,
  actual: unknown,
  context: MatchContext,
  what: string,
): void {
  const difference = differenceOf(expected, actual, context);
  if (difference === undefined) return;
  throw new ExpectationError(
    `${what}: ${difference}; expected ${print(expected)}, got ${print(actual)}`,
  );
}

/** The first difference, or undefined. A list of documents holds root documents. */
export function differenceOf(
  expected: unknown,
  actual: unknown,
  context: MatchContext,
): string | undefined {
  if (Array.isArray(expected)) {
    return arrayDifference(expected, actual, '', (item, found, path) =>
      new Comparison(context).difference(item, found, path, true),
    );
  }
  return new Comparison(context).difference(expected, actual, '', true);
}

/** Documents of a collection, as they must be after a case: no operators, no further fields. */
export function assertSameDocuments(
  expected: readonly Document[],
  actual: readonly Document[],
  what: string,
): void {
  const difference = arrayDifference(expected, actual, '', exactDifference);
  if (difference === undefined) return;
  throw new ExpectationError(
    `${what}: ${difference}; expected ${print(expected)}, got ${print(actual)}`,
  );
}

type Operator = (
  argument: unknown,
  actual: unknown,
  place: { readonly path: string; readonly isRoot: boolean },
  comparison: Comparison,
) => string | undefined;

const OPERATORS: Readonly<Record<string, Operator>> = {
  $$exists: (argument, actual, { path }) =>
    (actual !== undefined) === argument
      ? undefined
      : `${path} is ${argument === true ? 'missing' : 'there'}`,
  $$type: (argument, actual, { path }) => {
    const wanted = Array.isArray(argument) ? argument : [argument];
    const names = typeNamesOf(actual);
    if (names.some((name) => wanted.includes(name))) return undefined;
    return `${path} is of type ${names.join(' or ')}, not ${String(argument)}`;
  },
  $$unsetOrMatches: (argument, actual, { path, isRoot }, comparison) =>
    actual === undefined ? undefined : comparison.difference(argument, actual, path, isRoot),
  $$matchesEntity: (argument, actual, { path, isRoot }, comparison) =>
    comparison.difference(comparison.context.entityValue(String(argument)), actual, path, isRoot),
  $$matchesHexBytes: (argument, actual, { path }) =>
    Buffer.isBuffer(actual) && actual.toString('hex') === String(argument).toLowerCase()
      ? undefined
      : `${path} has other bytes`,
  $$sessionLsid: (argument, actual, { path }, comparison) =>
    comparison.difference(comparison.context.sessionId(String(argument)), actual, path, false),
  $$lte: (argument, actual, { path }) => {
    const [limit, value] = [numberOf(argument), numberOf(actual)];
    if (limit === undefined) throw new MalformedCaseError('$$lte needs a number');
    return value !== undefined && value <= limit ? undefined : `${path} is above ${limit}`;
  },
  $$matchAsDocument: (argument, actual, { path }, comparison) => {
    const document = parseDocument(actual);
    return document === undefined
      ? `${path} is no document as text`
      : comparison.difference(argument, document, path, false);
  },
  $$matchAsRoot: (argument, actual, { path }, comparison) =>
    isDocument(actual)
      ? comparison.difference(argument, actual, path, true)
      : `${path} is no document`,
};

class Comparison {
  readonly context: MatchContext;

  constructor(context: MatchContext) {
    this.context = context;
  }

  difference(expected: unknown, found: unknown, path: string, isRoot: boolean): string | undefined {
    // The driver holds a sort order as a Map.
    const actual: unknown = found instanceof Map ? Object.fromEntries(found) : found;
    if (isDocument(expected)) {
      const operator = operatorOf(expected);
      if (operator !== undefined) {
        return operator.run(operator.argument, actual, { path, isRoot }, this);
      }
      return this.documentDifference(expected, actual, path, isRoot);
    }
    if (Array.isArray(expected)) {
      return arrayDifference(expected, actual, path, (item, found, place) =>
        this.difference(item, found, place, false),
      );
    }
    return scalarDifference(expected, actual, path);
  }

  private documentDifference(
    expected: Document,
    actual: unknown,
    path: string,
    isRoot: boolean,
  ): string | undefined {
    if (!isDocument(actual)) return `${path} is no document`;
    for (const [name, value] of Object.entries(expected)) {
      const place = path === '' ? name : `${path}.${name}`;
      const difference = this.difference(value, actual[name], place, false);
      if (difference !== undefined) return difference;
    }
    const extra = isRoot ? undefined : extraFieldOf(expected, actual);
    return extra === undefined ? undefined : `${path} has a further field ${extra}`;
  }
}

function exactDifference(expected: unknown, actual: unknown, path: string): string | undefined {
  if (Array.isArray(expected)) return arrayDifference(expected, actual, path, exactDifference);
  if (!isDocument(expected)) return scalarDifference(expected, actual, path);
  if (!isDocument(actual)) return `${path} is no document`;
  for (const [name, value] of Object.entries(expected)) {
    const difference = exactDifference(value, actual[name], `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  const extra = extraFieldOf(expected, actual);
  return extra === undefined ? undefined : `${path} has a further field ${extra}`;
}

function arrayDifference(
  expected: readonly unknown[],
  actual: unknown,
  path: string,
  compare: (expected: unknown, actual: unknown, path: string) => string | undefined,
): string | undefined {
  if (!Array.isArray(actual)) return `${path} is no array`;
  if (actual.length !== expected.length) {
    return `${path} has ${actual.length} elements, not ${expected.length}`;
  }
  for (const [index, item] of expected.entries()) {
    const difference = compare(item, actual[index], `${path}[${index}]`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function operatorOf(document: Document): { run: Operator; argument: unknown } | undefined {
  const names = Object.keys(document);
  if (names.length !== 1 || !names[0].startsWith('$$')) return undefined;
  const run = OPERATORS[names[0]];
  if (run === undefined) throw new MalformedCaseError(`unknown operator ${names[0]}`);
  return { run, argument: document[names[0]] };
}

function extraFieldOf(expected: Document, actual: Document): string | undefined {
  return Object.keys(actual).find(
    (name) => actual[name] !== undefined && !Object.hasOwn(expected, name),
  );
}

function scalarDifference(expected: unknown, actual: unknown, path: string): string | undefined {
  const [left, right] = [numberOf(expected), numberOf(actual)];
  const same =
    left !== undefined && right !== undefined
      ? left === right
      : canonical(expected) === canonical(actual);
  return same ? undefined : `${path} is ${print(actual)}, not ${print(expected)}`;
}

/** Of int32, int64 and double; the driver may give any of these forms. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const isNumber = value instanceof Int32 || value instanceof Long || value instanceof Double;
  return isNumber ? Number(value.toString()) : undefined;
}

export function isDocument(value: unknown): value is Document {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !('_bsontype' in value) &&
    !(value instanceof Date) &&
    !(value instanceof RegExp) &&
    !(value instanceof Uint8Array)
  );
}

function parseDocument(text: unknown): Document | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = EJSON.parse(text);
    return isDocument(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function canonical(value: unknown): string {
  return value === undefined ? 'undefined' : EJSON.stringify({ value }, { relaxed: false });
}

function print(value: unknown): string {
  return value === undefined ? 'nothing' : EJSON.stringify(value).slice(0, 2000);
}
