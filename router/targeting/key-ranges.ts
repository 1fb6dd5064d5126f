/**
 * From a filter to ranges of shard keys.
 *
 * Promises: every document that the filter matches has its key in one of the ranges. Costs what the filter costs, whatever the number
 * of chunks.
 */
import { BsonType, fieldsOf, hashValue, int64Value, type RawValue } from '../../bson/index.ts';
import { textAfter, type KeyTextRange, type ShardKeyPattern } from '../../server/cluster.ts';
import { conditionOn, type FieldCondition } from './key-conditions.ts';

export interface KeyRanges {
  /** undefined: all keys. */
  readonly ranges: readonly KeyTextRange[] | undefined;
  /** The values of the whole key, when the filter names exactly one. */
  readonly key: readonly RawValue[] | undefined;
}

const ALL: KeyRanges = { ranges: undefined, key: undefined };
/** So many values of a compound key are told apart; beyond them the fields behind count as unknown. */
const MAX_PREFIXES = 10_000;

/** @param comparesBytes no collation is in force */
export function keyRangesOf(
  filter: Buffer,
  pattern: ShardKeyPattern,
  comparesBytes: boolean,
): KeyRanges {
  const direct = directRanges(filter, pattern, comparesBytes);
  return direct.ranges === undefined ? alternatives(filter, pattern, comparesBytes) : direct;
}

/** Each branch of an $or says where its documents are, or the $or says nothing. */
function alternatives(filter: Buffer, pattern: ShardKeyPattern, comparesBytes: boolean): KeyRanges {
  for (const [name, value] of fieldsOf(filter)) {
    if (value.type !== BsonType.array || (name !== '$or' && name !== '$and')) continue;
    const branches = Array.from(fieldsOf(value.asDocument()), ([, branch]) => branch);
    if (branches.some((branch) => branch.type !== BsonType.object)) continue;
    const each = branches.map((branch) => keyRangesOf(branch.asDocument(), pattern, comparesBytes));
    if (name === '$and') {
      const useful = each.find(({ ranges }) => ranges !== undefined);
      if (useful !== undefined) return useful;
      continue;
    }
    const ranges: KeyTextRange[] = [];
    for (const branch of each) {
      if (branch.ranges === undefined) return ALL;
      ranges.push(...branch.ranges);
    }
    return { ranges, key: undefined };
  }
  return ALL;
}

function directRanges(filter: Buffer, pattern: ShardKeyPattern, comparesBytes: boolean): KeyRanges {
  let prefixes: (readonly RawValue[])[] = [[]];
  for (const { path, isHashed } of pattern.fields) {
    const given = conditionOn(filter, path.text, comparesBytes);
    const condition = isHashed ? hashed(given) : given;
    if (condition.kind === 'any') break;
    if (condition.kind === 'range') {
      return {
        ranges: prefixes.map((prefix) => rangeOf(pattern, prefix, condition)),
        key: undefined,
      };
    }
    const { values } = condition;
    if (prefixes.length * values.length > MAX_PREFIXES) break;
    prefixes = prefixes.flatMap((prefix) => values.map((value) => [...prefix, value]));
  }
  const [first] = prefixes;
  if (first?.length === 0) return ALL;
  const isWhole = prefixes.length === 1 && first?.length === pattern.fields.length;
  return {
    ranges: prefixes.map((prefix) => {
      const text = pattern.textOf(prefix);
      return { min: text, max: textAfter(text) };
    }),
    key: isWhole ? first : undefined,
  };
}

function rangeOf(
  pattern: ShardKeyPattern,
  prefix: readonly RawValue[],
  { lower, upper }: Extract<FieldCondition, { kind: 'range' }>,
): KeyTextRange {
  const start = pattern.textOf(prefix);
  const textOf = (value: RawValue): string => pattern.textOf([...prefix, value]);
  const min =
    lower === undefined
      ? start
      : lower.isInclusive
        ? textOf(lower.value)
        : textAfter(textOf(lower.value));
  const max =
    upper === undefined
      ? prefix.length === 0
        ? END
        : textAfter(start)
      : upper.isInclusive
        ? textAfter(textOf(upper.value))
        : textOf(upper.value);
  return { min, max };
}

/** Above every key: no key begins with this byte. */
const END = '\u00ff';

/** Beyond this doubles and decimals of the same value may have different hashes. */
const LARGEST_SURE = 2 ** 53;

/** Of hashes only single values are known. */
function hashed(condition: FieldCondition): FieldCondition {
  if (condition.kind !== 'values') return { kind: 'any' };
  const { values } = condition;
  const isSure = values.every(
    (value) => !value.isNumber || Math.abs(value.asNumber()) < LARGEST_SURE,
  );
  if (!isSure) return { kind: 'any' };
  return { kind: 'values', values: values.map((value) => int64Value(hashValue(value))) };
}
