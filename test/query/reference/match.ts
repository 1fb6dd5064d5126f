/**
 * A slow reference of MongoDB's filters over decoded documents.
 *
 * Owns: its own reading of the rules of the manual ("Query and Projection Operators") and of how paths cross arrays.
 * Promises: a filter that the random filters of this folder can hold is answered; any other operator throws.
 */
import { compare, exact, isNumber, TYPE, typeRank, type Fields, type Value } from './value.ts';

export function matchesDocument(filter: Fields, document: Fields): boolean {
  return filter.every(([name, operand]) => {
    switch (name) {
      case '$and':
        return branches(operand).every((branch) => matchesDocument(branch, document));
      case '$or':
        return branches(operand).some((branch) => matchesDocument(branch, document));
      case '$nor':
        return !branches(operand).some((branch) => matchesDocument(branch, document));
      default:
        return matchesPath(name.split('.'), operand, document);
    }
  });
}

function branches(operand: Value): Fields[] {
  return elementsOf(operand).map(fieldsOf);
}

function matchesPath(path: readonly string[], condition: Value, document: Fields): boolean {
  if (!isOperatorDocument(condition)) return equalsAtPath(path, condition, document);
  return condition.fields.every(([operator, operand]) => {
    switch (operator) {
      case '$ne':
        return !equalsAtPath(path, operand, document);
      case '$nin':
        return !matchesOperator(path, '$in', operand, condition.fields, document);
      case '$not':
        return !matchesPath(path, operand, document);
      case '$exists': {
        const isThere = reached(path, document, true).some((value) => value !== undefined);
        return isThere === isTrue(operand);
      }
      case '$all':
        return matchesAll(path, elementsOf(operand), document);
      default:
        return matchesOperator(path, operator, operand, condition.fields, document);
    }
  });
}

function matchesAll(
  path: readonly string[],
  operands: readonly Value[],
  document: Fields,
): boolean {
  return operands.length > 0 && operands.every((one) => matchesPath(path, one, document));
}

function equalsAtPath(path: readonly string[], operand: Value, document: Fields): boolean {
  return reached(path, document, true).some((value) => equals(value, operand));
}

/** Operators that hold when one of the values that the path reaches passes. */
function matchesOperator(
  path: readonly string[],
  operator: string,
  operand: Value,
  siblings: Fields,
  document: Fields,
): boolean {
  const looksAtWholeArrays = operator === '$size' || operator === '$elemMatch';
  return reached(path, document, !looksAtWholeArrays).some((value) =>
    passes(value, operator, operand, siblings),
  );
}

/** Whether one value passes one operator; undefined is a missing field. */
function passes(
  value: Value | undefined,
  operator: string,
  operand: Value,
  siblings: Fields,
): boolean {
  switch (operator) {
    case '$eq':
      return isSame(value, operand);
    case '$ne':
      return !isSame(value, operand);
    case '$gt':
      return isOrdered(value, operand, (order) => order > 0, false);
    case '$gte':
      return isOrdered(value, operand, (order) => order >= 0, true);
    case '$lt':
      return isOrdered(value, operand, (order) => order < 0, false);
    case '$lte':
      return isOrdered(value, operand, (order) => order <= 0, true);
    case '$in':
      return elementsOf(operand).some((member) => equals(value, member));
    case '$nin':
      return !elementsOf(operand).some((member) => equals(value, member));
    case '$all': {
      const members = elementsOf(operand);
      return members.length > 0 && members.every((member) => equals(value, member));
    }
    case '$exists':
      return (value !== undefined) === isTrue(operand);
    case '$not':
      return !passesAll(value, operand);
    case '$type':
      return value !== undefined && isOfType(value, operand);
    case '$size':
      return value?.type === TYPE.array && value.elements.length === numberOf(operand);
    case '$mod':
      return value !== undefined && hasRemainder(value, elementsOf(operand));
    case '$regex':
      return matchesPattern(value, patternOf(operand, siblings));
    case '$options':
      return true;
    case '$bitsAllSet':
      return hasBits(value, operand, (bits) => bits.every(Boolean));
    case '$bitsAllClear':
      return hasBits(value, operand, (bits) => !bits.some(Boolean));
    case '$bitsAnySet':
      return hasBits(value, operand, (bits) => bits.some(Boolean));
    case '$bitsAnyClear':
      return hasBits(value, operand, (bits) => !bits.every(Boolean));
    case '$elemMatch':
      return value?.type === TYPE.array && value.elements.some((one) => isElement(one, operand));
    default:
      throw new Error(`the reference has no operator ${operator}`);
  }
}

/** $elemMatch: operators look at the element itself, fields look into it; an array counts as a document of numbers. */
function isElement(element: Value, condition: Value): boolean {
  if (isOperatorDocument(condition) && !isLogical(condition.fields[0][0])) {
    return passesAll(element, condition);
  }
  if (element.type === TYPE.object) return matchesDocument(fieldsOf(condition), element.fields);
  if (element.type !== TYPE.array) return false;
  const numbered = element.elements.map((one, index): [string, Value] => [String(index), one]);
  return matchesDocument(fieldsOf(condition), numbered);
}

function passesAll(value: Value | undefined, condition: Value): boolean {
  if (condition.type === TYPE.regex) return matchesPattern(value, condition);
  const conditions = fieldsOf(condition);
  return conditions.every(([operator, operand]) => passes(value, operator, operand, conditions));
}

function isLogical(name: string): boolean {
  return name === '$and' || name === '$or' || name === '$nor';
}

function isOperatorDocument(
  condition: Value,
): condition is Extract<Value, { type: typeof TYPE.object }> {
  return condition.type === TYPE.object && (condition.fields[0]?.[0].startsWith('$') ?? false);
}

/**
 * The values that a path reaches; undefined stands for a missing field. Arrays on the way are entered, and their elements
 * also picked by number; an array at the end gives its elements and then itself, unless `entersLast` is false.
 */
export function reached(
  path: readonly string[],
  document: Fields,
  entersLast: boolean,
): (Value | undefined)[] {
  const [name, ...rest] = path;
  const found = document.find(([field]) => field === name)?.[1];
  if (found?.type === TYPE.array) return reachedInArray(rest, found, entersLast);
  if (rest.length === 0) return [found];
  return found?.type === TYPE.object ? reached(rest, found.fields, entersLast) : [undefined];
}

function reachedInArray(
  rest: readonly string[],
  array: Extract<Value, { type: typeof TYPE.array }>,
  entersLast: boolean,
): (Value | undefined)[] {
  if (rest.length === 0) return entersLast ? [...array.elements, array] : [array];
  const [name, ...beyond] = rest;
  return array.elements.flatMap((element, index): (Value | undefined)[] => {
    const within = element.type === TYPE.object ? reached(rest, element.fields, entersLast) : [];
    if (name !== String(index)) return within;
    // An element that was asked for by its number is not entered, however the path ends.
    if (beyond.length === 0) return [...within, element];
    if (element.type === TYPE.object)
      return [...within, ...reached(beyond, element.fields, entersLast)];
    if (element.type === TYPE.array) return reachedInArray(beyond, element, entersLast);
    return within;
  });
}

/** How a plain operand matches, and each member of $in: a regular expression as a pattern. */
function equals(value: Value | undefined, operand: Value): boolean {
  return operand.type === TYPE.regex ? matchesPattern(value, operand) : isSame(value, operand);
}

/** $eq: a regular expression equals itself alone. */
function isSame(value: Value | undefined, operand: Value): boolean {
  if (value === undefined) return operand.type === TYPE.null;
  return typeRank(value.type) === typeRank(operand.type) && compare(value, operand) === 0;
}

function isOrdered(
  value: Value | undefined,
  operand: Value,
  accepts: (order: number) => boolean,
  acceptsEqual: boolean,
): boolean {
  if (value === undefined) return acceptsEqual && operand.type === TYPE.null;
  if (typeRank(value.type) !== typeRank(operand.type)) return false;
  const isNaNValue = (one: Value): boolean => isNumber(one) && exact(one) === 'NaN';
  if (isNaNValue(value) || isNaNValue(operand)) {
    return acceptsEqual && isNaNValue(value) && isNaNValue(operand);
  }
  return accepts(compare(value, operand));
}

const TYPE_NAMES: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(Object.entries(TYPE).map(([name, code]) => [name, [code]])),
  number: [TYPE.double, TYPE.int, TYPE.long, TYPE.decimal],
};

function isOfType(value: Value, operand: Value): boolean {
  if (operand.type === TYPE.array) return operand.elements.some((one) => isOfType(value, one));
  if (operand.type === TYPE.string) return TYPE_NAMES[operand.text].includes(value.type);
  return value.type === numberOf(operand);
}

function hasRemainder(value: Value, [divisor, remainder]: readonly Value[]): boolean {
  const whole = wholePart(value);
  if (whole === undefined) return false;
  return whole % BigInt(numberOf(divisor)) === BigInt(numberOf(remainder));
}

/** Cut towards zero; undefined for what is no finite number within 64 bits. */
function wholePart(value: Value): bigint | undefined {
  if (!isNumber(value)) return undefined;
  const number = exact(value);
  if (typeof number !== 'object') return undefined;
  const whole = number.over / number.under;
  return BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

function patternOf(operand: Value, siblings: Fields): Value {
  const options = siblings.find(([name]) => name === '$options')?.[1];
  if (operand.type !== TYPE.string) return operand;
  const flags = options?.type === TYPE.string ? options.text : '';
  return { type: TYPE.regex, pattern: operand.text, options: flags };
}

/** The random patterns mean the same to PCRE and to JavaScript. */
function matchesPattern(value: Value | undefined, operand: Value): boolean {
  if (operand.type !== TYPE.regex || value === undefined) return false;
  if (value.type === TYPE.regex) return compare(value, operand) === 0;
  if (value.type !== TYPE.string) return false;
  return new RegExp(operand.pattern, `u${operand.options}`).test(value.text);
}

function hasBits(
  value: Value | undefined,
  operand: Value,
  decide: (bits: readonly boolean[]) => boolean,
): boolean {
  const isSet = value === undefined ? undefined : bitReader(value);
  return isSet !== undefined && decide(positionsOf(operand).map(isSet));
}

function bitReader(value: Value): ((position: number) => boolean) | undefined {
  if (value.type === TYPE.binData) {
    return (position) => ((value.bytes[position >> 3] ?? 0) & (1 << (position & 7))) !== 0;
  }
  if (!isNumber(value)) return undefined;
  const number = exact(value);
  if (typeof number !== 'object' || number.over % number.under !== 0n) return undefined;
  const whole = number.over / number.under;
  if (BigInt.asIntN(64, whole) !== whole) return undefined;
  return (position) => ((whole >> BigInt(position)) & 1n) === 1n;
}

function positionsOf(operand: Value): readonly number[] {
  if (operand.type === TYPE.array) return operand.elements.map(numberOf);
  const mask = numberOf(operand);
  return Array.from({ length: 31 }, (_, bit) => bit).filter((bit) => (mask & (1 << bit)) !== 0);
}

function isTrue(operand: Value): boolean {
  return operand.type === TYPE.bool ? operand.flag : numberOf(operand) !== 0;
}

function elementsOf(operand: Value): readonly Value[] {
  if (operand.type !== TYPE.array) throw new Error('the operand is no array');
  return operand.elements;
}

function fieldsOf(operand: Value): Fields {
  if (operand.type !== TYPE.object) throw new Error('the operand is no document');
  return operand.fields;
}

function numberOf(operand: Value): number {
  if (operand.type === TYPE.int || operand.type === TYPE.double) return operand.number;
  throw new Error('the operand is no plain number');
}
