/**
 * Random documents, filters, updates and sort patterns for comparing the compiled forms with the reference.
 *
 * Promises: a seed gives the same sequence; few names and few values, so that paths meet and values are equal often.
 */
import { Binary, BSONRegExp, Decimal128, Double, Int32, Long, ObjectId, Timestamp } from 'bson';
import type { Document } from 'bson';
import type { Random } from '../../../common/random.ts';

const NAMES = ['a', 'b', 'c', '0', '1'] as const;
const TEXTS = ['', 'a', 'b', 'ab', 'aB', 'ä', 'b\na'] as const;
const PATTERNS = ['a', '^a', 'b$', '^a.$', '[ab]{2}', '(a|ä)'] as const;
const NUMBERS: readonly (() => unknown)[] = [
  () => new Double(1.5),
  () => new Double(-0),
  () => new Double(NaN),
  () => new Double(Infinity),
  () => new Double(2 ** 53),
  () => new Double(2),
  () => Long.fromString('9007199254740993'),
  () => Long.fromNumber(2),
  () => Long.fromString('-9223372036854775808'),
  () => Decimal128.fromString('1.5'),
  () => Decimal128.fromString('2.00'),
  () => Decimal128.fromString('0.1'),
  () => Decimal128.fromString('NaN'),
  () => new Double(0.1),
];
const TYPES = [
  'number',
  'string',
  'array',
  'object',
  'null',
  'int',
  'double',
  'long',
  'bool',
  'date',
];

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)];
}

export function listOf<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: random.below(most + 1) }, make);
}

export function randomPath(random: Random): string {
  const parts = 1 + random.below(3);
  return Array.from({ length: parts }, () => pick(random, NAMES)).join('.');
}

export function randomScalar(random: Random): unknown {
  switch (random.below(13)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return new Int32(random.below(7) - 3);
    case 4:
    case 5:
      return pick(random, NUMBERS)();
    case 6:
    case 7:
      return pick(random, TEXTS);
    case 8:
      return null;
    case 9:
      return random.below(2) === 0;
    case 10:
      return new Date(random.below(3));
    case 11:
      return pick(random, [
        new ObjectId('000000000000000000000001'),
        new ObjectId('000000000000000000000002'),
        new Timestamp({ t: 1, i: random.below(2) }),
      ]);
    default:
      return pick(random, [
        new Binary(Buffer.from([random.below(4)])),
        new Binary(Buffer.from([1, 2]), 4),
        new BSONRegExp(pick(random, PATTERNS), pick(random, ['', 'i'])),
      ]);
  }
}

/** @param depth how many more levels of documents and arrays may follow. */
export function randomValue(random: Random, depth = 3): unknown {
  if (depth === 0) return randomScalar(random);
  switch (random.below(5)) {
    case 0:
      return listOf(random, 3, () => randomValue(random, depth - 1));
    case 1:
      return randomDocument(random, depth - 1);
    default:
      return randomScalar(random);
  }
}

export function randomDocument(random: Random, depth = 3): Document {
  return Object.fromEntries(
    listOf(random, 4, () => [pick(random, NAMES), randomValue(random, depth)]),
  );
}

/** Filters of which a fair share matches: most paths and some operands are taken from the document. */
export function randomFilter(random: Random, document: Document, depth = 2): Document {
  const filter: Document = {};
  for (let left = 1 + random.below(2); left > 0; left -= 1) {
    if (depth > 0 && random.below(5) === 0) {
      const branches = Array.from({ length: 1 + random.below(3) }, () =>
        randomFilter(random, document, depth - 1),
      );
      filter[pick(random, ['$and', '$or', '$nor'])] = branches;
      continue;
    }
    const [path, found] = random.below(4) === 0 ? [randomPath(random)] : pathInto(random, document);
    filter[path] = randomCondition(random, found, depth);
  }
  return filter;
}

/** A path that leads somewhere, by names and by places in arrays, or past an array's elements; and what stands there. */
function pathInto(random: Random, document: Document): [path: string, found?: unknown] {
  const path: string[] = [];
  let at: unknown = document;
  while (isPlainDocument(at) || Array.isArray(at)) {
    const names = Object.keys(at);
    if (names.length === 0 || (path.length > 0 && random.below(3) === 0)) break;
    const name = pick(random, names);
    if (!Array.isArray(at) || random.below(2) === 0) path.push(name);
    at = (at as Document)[name];
  }
  return path.length === 0 ? [randomPath(random)] : [path.join('.'), at];
}

function isPlainDocument(value: unknown): value is Document {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

function randomCondition(random: Random, found: unknown, depth: number): unknown {
  if (found !== undefined && random.below(4) === 0) return found;
  if (random.below(6) === 0) return randomValue(random, 2);
  return randomOperators(random, found, depth);
}

/** $ne and the comparisons refuse a regular expression. */
function notRegex(random: Random, found: unknown): unknown {
  for (;;) {
    const operand = random.below(3) === 0 ? (found ?? null) : randomValue(random, 2);
    if (!(operand instanceof BSONRegExp)) return operand;
    if (operand === found) return null;
  }
}

function randomOperators(random: Random, found: unknown, depth: number): Document {
  const operators: Document = {};
  for (let left = 1 + random.below(2); left > 0; left -= 1) {
    Object.assign(operators, randomOperator(random, found, depth));
  }
  return operators;
}

/** @param found what the path leads to in the document, if anything: often the operand. */
function randomOperator(random: Random, found: unknown, depth: number): Document {
  const operand = (): unknown => notRegex(random, found);
  switch (random.below(16)) {
    case 0:
      return { $eq: operand() };
    case 1:
      return { $ne: operand() };
    case 2:
    case 3:
    case 4:
      return { [pick(random, ['$gt', '$gte', '$lt', '$lte'])]: operand() };
    case 5:
      return { $in: [...listOf(random, 8, operand), new BSONRegExp(pick(random, PATTERNS))] };
    case 6:
      return { $nin: listOf(random, 3, operand) };
    case 7:
      return { $exists: random.below(2) === 0 };
    case 8:
      return { $type: random.below(3) === 0 ? [pick(random, TYPES), 2] : pick(random, TYPES) };
    case 9:
      return { $size: new Int32(random.below(3)) };
    case 10:
      return { $mod: [new Int32(1 + random.below(3)), new Int32(random.below(2))] };
    case 11:
      return { $regex: pick(random, PATTERNS), $options: pick(random, ['', 'i', 's', 'm']) };
    case 12: {
      const bits =
        random.below(2) === 0 ? new Int32(random.below(4)) : [new Int32(random.below(9))];
      const names = ['$bitsAllSet', '$bitsAllClear', '$bitsAnySet', '$bitsAnyClear'];
      return { [pick(random, names)]: bits };
    }
    case 13:
      return { $all: listOf(random, 3, operand) };
    case 14:
      if (depth === 0) return { $exists: true };
      return { $not: randomOperators(random, found, depth - 1) };
    default: {
      if (depth === 0) return { $size: new Int32(1) };
      const element: unknown = Array.isArray(found) ? found[0] : undefined;
      if (random.below(2) === 0) return { $elemMatch: randomOperators(random, element, depth - 1) };
      const within = isPlainDocument(element) ? element : {};
      return { $elemMatch: randomFilter(random, within, depth - 1) };
    }
  }
}

/** Numbers whose sums and products an update can hold in any order of types. */
function randomAmount(random: Random): unknown {
  switch (random.below(6)) {
    case 0:
      return new Double(random.below(9) / 2 - 2);
    case 1:
      return Long.fromNumber(random.below(9) - 4);
    case 2:
      return pick(random, [new Int32(2_147_483_647), Long.fromString('9223372036854775807'), 'a']);
    default:
      return new Int32(random.below(9) - 4);
  }
}

function withPositions(random: Random, chosen: string): string {
  const path = chosen.split('.');
  // Never first: what stands there must be a field.
  for (let at = 1; at < path.length; at += 1) {
    if (/\d/.test(path[at]) && random.below(4) === 0) path[at] = pick(random, ['$[]', '$[e]']);
  }
  return path.join('.');
}

/** Modifiers over paths of the document and others; many are refused for good reasons. `arrayFilters` for those that name `e`. */
export function randomUpdate(
  random: Random,
  document: Document,
): { update: Document; arrayFilters?: Document[] } {
  const update: Document = {};
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const [chosen, found] =
      random.below(4) === 0 ? [randomPath(random)] : pathInto(random, document);
    const [operator, operand] = randomModifier(random, kindFor(random, found));
    const fields = update[operator] as Document | undefined;
    update[operator] = { ...fields, [withPositions(random, chosen)]: operand };
  }
  const namesElement = Object.values(update).some((fields: Document) =>
    Object.keys(fields).some((path) => path.includes('$[e]')),
  );
  if (!namesElement) return { update };
  const condition = pick(random, [
    { e: randomOperator(random, undefined, 0) },
    { 'e.a': new Int32(1) },
    { e: { $exists: true } },
  ]);
  return { update, arrayFilters: [condition] };
}

/** What a modifier is made for. */
type ModifierKind = 'any' | 'number' | 'array';

/** Mostly one that fits what stands there. */
function kindFor(random: Random, found: unknown): ModifierKind {
  if (random.below(6) === 0) return pick(random, ['any', 'number', 'array']);
  if (found instanceof Int32 || found instanceof Long || found instanceof Double) {
    return pick(random, ['number', 'any']);
  }
  if (found === undefined) return pick(random, ['any', 'number', 'array']);
  return Array.isArray(found) ? 'array' : 'any';
}

function randomModifier(random: Random, kind: ModifierKind): [operator: string, operand: unknown] {
  if (kind === 'number') {
    const mask = pick(random, [new Int32(6), Long.fromNumber(3)]);
    if (random.below(4) === 0) return ['$bit', { [pick(random, ['and', 'or', 'xor'])]: mask }];
    return [pick(random, ['$inc', '$mul']), randomAmount(random)];
  }
  if (kind === 'array') return randomArrayModifier(random);
  switch (random.below(4)) {
    case 0:
      return ['$unset', ''];
    case 1:
      return [pick(random, ['$min', '$max']), randomValue(random, 1)];
    default:
      return ['$set', randomValue(random, 2)];
  }
}

function randomArrayModifier(random: Random): [operator: string, operand: unknown] {
  switch (random.below(6)) {
    case 0:
      return ['$push', randomValue(random, 1)];
    case 1:
      return ['$push', randomEach(random)];
    case 2: {
      const each = { $each: listOf(random, 3, () => randomScalar(random)) };
      return ['$addToSet', random.below(2) === 0 ? randomScalar(random) : each];
    }
    case 3:
      return ['$pop', new Int32(random.below(2) === 0 ? 1 : -1)];
    case 4:
      return ['$pullAll', listOf(random, 3, () => randomScalar(random))];
    default: {
      const isFilter = random.below(2) === 0;
      return ['$pull', isFilter ? randomOperators(random, undefined, 0) : randomValue(random, 1)];
    }
  }
}

function randomEach(random: Random): Document {
  const modifiers: Document = { $each: listOf(random, 3, () => randomScalar(random)) };
  if (random.below(2) === 0) modifiers['$position'] = new Int32(random.below(5) - 2);
  if (random.below(2) === 0) modifiers['$slice'] = new Int32(random.below(7) - 3);
  if (random.below(2) === 0) modifiers['$sort'] = new Int32(random.below(2) === 0 ? 1 : -1);
  return modifiers;
}

/** Paths of names alone, each starting with another field. */
export function randomSort(random: Random): Document {
  const sort: Document = {};
  const firsts = ['a', 'b', 'c'];
  for (let left = 1 + random.below(2); left > 0; left -= 1) {
    const [first] = firsts.splice(random.below(firsts.length), 1);
    const path = random.below(2) === 0 ? first : `${first}.${pick(random, ['a', 'b', 'c'])}`;
    sort[path] = new Int32(random.below(2) === 0 ? 1 : -1);
  }
  return sort;
}
