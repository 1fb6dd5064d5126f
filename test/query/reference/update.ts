/**
 * A slow reference of MongoDB's update modifiers over decoded documents.
 *
 * Owns: its own reading of the manual ("Update Operators"): which paths are made, which are refused, and what each
 * modifier leaves behind. Positions come from `$[]` and `$[e]`.
 * Promises: the new document, or Refused where MongoDB answers an error; which error is the business of other tests.
 */
import { matchesDocument } from './match.ts';
import {
  compare,
  exact,
  isNumber,
  NULL,
  TYPE,
  type Fields,
  type NumberValue,
  type Value,
} from './value.ts';

export class Refused extends Error {}

/** Arithmetic of decimals, and positions that overlap: they have tables of cases of their own. */
export class OutOfScope extends Error {}

type Change = (before: Value | undefined) => Value | undefined;

interface Modifier {
  readonly path: readonly string[];
  readonly change: Change;
  /** Makes what is missing on the way; the others leave a document alone that lacks the path. */
  readonly makesPath: boolean;
  /** Passes by where no path can be made; the others are refused. */
  readonly passesBy: boolean;
}

/** @param filters of `arrayFilters`, each with conditions on `e`. */
export function applyUpdate(update: Fields, filters: readonly Fields[], document: Fields): Fields {
  const modifiers = update.flatMap(([operator, fields]) =>
    fieldsOf(fields).map(([path, operand]) => modifier(operator, path.split('.'), operand)),
  );
  if (filters.some(hasNoPath)) throw new Refused();
  refuseConflicts(modifiers.map(({ path }) => path));
  modifiers.sort((a, b) => comparePaths(a.path, b.path));
  return modifiers.reduce(
    (result, each) => changeFields(result, each.path, each, filters),
    document,
  );
}

/** $all of nothing is false whatever the element: nothing is left that would name `e`. */
function hasNoPath(filter: Fields): boolean {
  return filter.every(([, condition]) => {
    const members = condition.type === TYPE.object ? condition.fields[0] : undefined;
    return members?.[0] === '$all' && arrayElements(members[1]).length === 0;
  });
}

function refuseConflicts(paths: readonly (readonly string[])[]): void {
  for (const [index, path] of paths.entries()) {
    for (const other of paths.slice(index + 1)) {
      const parting = path.findIndex((part, at) => part !== other[at]);
      const [left, right] = [path[parting], other[parting]];
      if (left === undefined || right === undefined) throw new Refused();
      const isPosition = [left, right].map((part) => part.startsWith('$['));
      if (isPosition[0] !== isPosition[1]) throw new Refused();
      // Whether `$[]` and `$[e]` meet depends on the elements.
      if (isPosition[0]) throw new OutOfScope();
    }
  }
}

/** The order of application: names as text, numbers by their value. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (part === other) continue;
    if (isIndex(part) && isIndex(other)) return Number(part) - Number(other);
    return part < other ? -1 : 1;
  }
  return 0;
}

function isIndex(part: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(part);
}

function changeFields(
  fields: Fields,
  path: readonly string[],
  modifier: Modifier,
  filters: readonly Fields[],
): Fields {
  const [name, ...rest] = path;
  if (name.startsWith('$[')) throw new Refused();
  const at = fields.findIndex(([field]) => field === name);
  const before = at < 0 ? undefined : fields[at][1];
  const after = changeValue(before, rest, modifier, filters);
  if (after === before) return fields;
  if (after === undefined) return fields.filter((_, index) => index !== at);
  if (before === undefined) return [...fields, [name, after]];
  return fields.with(at, [name, after]);
}

function changeValue(
  before: Value | undefined,
  rest: readonly string[],
  modifier: Modifier,
  filters: readonly Fields[],
): Value | undefined {
  if (rest.length === 0) return modifier.change(before);
  if (before === undefined) {
    refusePositions(rest);
    if (!modifier.makesPath) return undefined;
    return { type: TYPE.object, fields: changeFields([], rest, modifier, filters) };
  }
  if (before.type === TYPE.object) {
    const fields = changeFields(before.fields, rest, modifier, filters);
    return fields === before.fields ? before : { ...before, fields };
  }
  if (before.type === TYPE.array) return changeArray(before, rest, modifier, filters);
  refusePositions(rest);
  if (!modifier.passesBy) throw new Refused();
  return before;
}

/** There is no array for `$[]` to look at, whatever the modifier. */
function refusePositions(path: readonly string[]): void {
  if (path.some((part) => part.startsWith('$['))) throw new Refused();
}

function changeArray(
  before: Extract<Value, { type: typeof TYPE.array }>,
  [part, ...rest]: readonly string[],
  modifier: Modifier,
  filters: readonly Fields[],
): Value {
  const { elements } = before;
  if (part.startsWith('$[')) {
    const isChosen = (element: Value): boolean =>
      part === '$[]' || filters.every((filter) => matchesDocument(filter, [['e', element]]));
    const changed = elements.map((element) =>
      // What an element is unset to stays in its place.
      isChosen(element) ? (changeValue(element, rest, modifier, filters) ?? NULL) : element,
    );
    return changed.every((element, index) => element === elements[index])
      ? before
      : { ...before, elements: changed };
  }
  if (!isIndex(part)) {
    refusePositions(rest);
    if (!modifier.passesBy) throw new Refused();
    return before;
  }
  const index = Number(part);
  const after = changeValue(elements[index], rest, modifier, filters);
  if (after === elements[index]) return before;
  const padded = [...elements];
  while (padded.length < index) padded.push(NULL);
  padded[index] = after ?? NULL;
  return { ...before, elements: padded };
}

function modifier(operator: string, path: readonly string[], operand: Value): Modifier {
  const change = MODIFIERS[operator](operand);
  const makesPath = !LEAVE_MISSING_ALONE.has(operator);
  return { path, change, makesPath, passesBy: operator === '$unset' };
}

const LEAVE_MISSING_ALONE: ReadonlySet<string> = new Set(['$unset', '$pop', '$pull', '$pullAll']);

const MODIFIERS: Readonly<Record<string, (operand: Value) => Change>> = {
  // A value of the same type and content is no change.
  $set: (operand) => (before) =>
    before !== undefined && isIdentical(before, operand) ? before : operand,
  $unset: () => () => undefined,
  $inc: (operand) =>
    arithmetic(
      operand,
      (before) => before,
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  $mul: (operand) =>
    arithmetic(
      operand,
      zeroLike,
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  $min: (operand) => (before) =>
    before === undefined || compare(operand, before) < 0 ? operand : before,
  $max: (operand) => (before) =>
    before === undefined || compare(operand, before) > 0 ? operand : before,
  $push: (operand) => pushed(operand),
  $addToSet: (operand) => (before) => {
    const elements = arrayOrNew(before);
    const result = [...elements];
    for (const one of eachOf(operand)) {
      if (!result.some((other) => compare(other, one) === 0)) result.push(one);
    }
    return before !== undefined && result.length === elements.length ? before : arrayOf(result);
  },
  $pop: (operand) => (before) => {
    if (before === undefined) return undefined;
    const elements = arrayElements(before);
    if (elements.length === 0) return before;
    return arrayOf(numberOf(operand) > 0 ? elements.slice(0, -1) : elements.slice(1));
  },
  $pull: (operand) => (before) => {
    if (before === undefined) return undefined;
    return kept(before, (element) => !isPulled(element, operand));
  },
  $pullAll: (operand) => (before) => {
    if (before === undefined) return undefined;
    const members = arrayElements(operand);
    return kept(before, (element) => !members.some((member) => compare(member, element) === 0));
  },
  $bit: (operand) => {
    const changes = fieldsOf(operand);
    return (before) =>
      changes.reduce<Value>((value, [name, mask]) => bits(name, value, mask), before ?? INT_ZERO);
  },
};

const INT_ZERO: Value = { type: TYPE.int, number: 0 };

function kept(before: Value, keeps: (element: Value) => boolean): Value {
  const elements = arrayElements(before);
  const result = elements.filter(keeps);
  return result.length === elements.length ? before : arrayOf(result);
}

/** A document is a filter over elements that are documents; operators and patterns see the element as a field; the rest is equal. */
function isPulled(element: Value, condition: Value): boolean {
  const isDocument = condition.type === TYPE.object;
  if (condition.type === TYPE.regex || (isDocument && isOfOperators(condition.fields))) {
    return matchesDocument([['element', condition]], [['element', element]]);
  }
  if (!isDocument) return compare(element, condition) === 0;
  return element.type === TYPE.object && matchesDocument(condition.fields, element.fields);
}

function isOfOperators(fields: Fields): boolean {
  return fields[0]?.[0].startsWith('$') ?? false;
}

function pushed(operand: Value): Change {
  const modifiers = new Map(operand.type === TYPE.object && hasEach(operand) ? operand.fields : []);
  const values = modifiers.size > 0 ? eachOf(operand) : [operand];
  const optional = (name: string): number | undefined => {
    const value = modifiers.get(name);
    return value === undefined ? undefined : numberOf(value);
  };
  const position = optional('$position');
  const slice = optional('$slice');
  const sort = optional('$sort');
  return (before) => {
    const elements = arrayOrNew(before);
    const result = [...elements];
    result.splice(position ?? result.length, 0, ...values);
    if (sort !== undefined) result.sort((a, b) => sort * compare(a, b));
    const cut =
      slice === undefined ? result : slice < 0 ? result.slice(slice) : result.slice(0, slice);
    return arrayOf(cut);
  };
}

function hasEach(operand: Value): boolean {
  return operand.type === TYPE.object && operand.fields[0]?.[0] === '$each';
}

function eachOf(operand: Value): readonly Value[] {
  if (operand.type !== TYPE.object || !hasEach(operand)) return [operand];
  return arrayElements(operand.fields[0][1]);
}

function bits(name: string, before: Value, mask: Value): Value {
  const left = integerOf(before);
  const right = integerOf(mask);
  const result = name === 'and' ? left & right : name === 'or' ? left | right : left ^ right;
  if (before.type === TYPE.int && mask.type === TYPE.int)
    return { type: TYPE.int, number: Number(result) };
  return { type: TYPE.long, integer: result };
}

function integerOf(value: Value): bigint {
  if (value.type === TYPE.int) return BigInt(value.number);
  if (value.type === TYPE.long) return value.integer;
  throw new Refused();
}

/** int and long stay exact and grow to long, a double wins over both; what leaves a long is refused. */
function arithmetic(
  operand: Value,
  whenMissing: (operand: NumberValue) => NumberValue,
  whole: (a: bigint, b: bigint) => bigint,
  real: (a: number, b: number) => number,
): Change {
  if (!isNumber(operand)) throw new Refused();
  return (before) => {
    if (before === undefined) return whenMissing(operand);
    if (!isNumber(before)) throw new Refused();
    if (before.type === TYPE.decimal || operand.type === TYPE.decimal) throw new OutOfScope();
    const after = combine(before, operand, whole, real);
    // What is equal is not written, so that 0 does not become -0.
    return before.type === after.type && compare(before, after) === 0 ? before : after;
  };
}

function combine(
  a: NumberValue,
  b: NumberValue,
  whole: (a: bigint, b: bigint) => bigint,
  real: (a: number, b: number) => number,
): Value {
  if (a.type === TYPE.double || b.type === TYPE.double) {
    return { type: TYPE.double, number: real(toDouble(a), toDouble(b)) };
  }
  const result = whole(integerOf(a), integerOf(b));
  if (BigInt.asIntN(64, result) !== result) throw new Refused();
  const isInt = a.type === TYPE.int && b.type === TYPE.int && BigInt.asIntN(32, result) === result;
  return isInt ? { type: TYPE.int, number: Number(result) } : { type: TYPE.long, integer: result };
}

function toDouble(value: NumberValue): number {
  if (value.type === TYPE.long) return Number(value.integer);
  if (value.type === TYPE.decimal) return Number(value.text);
  return value.number;
}

function zeroLike(operand: NumberValue): NumberValue {
  if (operand.type === TYPE.long) return { type: TYPE.long, integer: 0n };
  if (operand.type === TYPE.decimal) return { type: TYPE.decimal, text: '0' };
  // The sign stays: 0 times a negative double is -0.
  const isBelow = operand.type === TYPE.double && operand.number < 0;
  return { type: operand.type, number: isBelow ? -0 : 0 };
}

function isIdentical(a: Value, b: Value): boolean {
  if (a.type !== b.type) return false;
  if (a.type === TYPE.double && b.type === TYPE.double) return Object.is(a.number, b.number);
  if (a.type === TYPE.object && b.type === TYPE.object) {
    return (
      a.fields.length === b.fields.length &&
      a.fields.every(([name, value], index) => {
        const [otherName, other] = b.fields[index];
        return name === otherName && isIdentical(value, other);
      })
    );
  }
  if (a.type === TYPE.array && b.type === TYPE.array) {
    return (
      a.elements.length === b.elements.length &&
      a.elements.every((element, index) => isIdentical(element, b.elements[index]))
    );
  }
  if (isNumber(a) && isNumber(b) && (exact(a) === 'NaN' || exact(b) === 'NaN'))
    return exact(a) === exact(b);
  return compare(a, b) === 0;
}

function arrayOf(elements: readonly Value[]): Value {
  return { type: TYPE.array, elements };
}

function arrayOrNew(before: Value | undefined): readonly Value[] {
  return before === undefined ? [] : arrayElements(before);
}

function arrayElements(value: Value): readonly Value[] {
  if (value.type !== TYPE.array) throw new Refused();
  return value.elements;
}

function fieldsOf(value: Value): Fields {
  if (value.type !== TYPE.object) throw new Refused();
  return value.fields;
}

function numberOf(value: Value): number {
  if (value.type === TYPE.int) return value.number;
  throw new Refused();
}
