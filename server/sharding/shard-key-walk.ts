/**
 * Walks a collection in the order of its shard key, in slices of time.
 */
import { getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type {
  CollectionDescription,
  IndexCursor,
  IndexDescription,
  KeyRange,
} from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { KeyTextRange } from './chunk-map.ts';
import {
  ABOVE_ALL_KEYS,
  BELOW_ALL_KEYS,
  type KeyText,
  type ShardKeyPattern,
} from './shard-key-pattern.ts';

/** So many entries before others get their turn. */
const ENTRIES_PER_SLICE = 2000;

/** Holds every document, one entry each, in the order of the shard key. */
export function servesShardKey(index: IndexDescription, pattern: ShardKeyPattern): boolean {
  if (!index.ready || index.multikey || index.sparse || isPartialOrCollated(index)) return false;
  return pattern.fields.every(({ path, isHashed }, at) => {
    const field = index.fields[at];
    if (field === undefined || field.path !== path.text) return false;
    return isHashed ? field.kind === 'hashed' : field.kind === 'ordered' && field.direction === 1;
  });
}

/** @throws CommandError IndexNotFound */
export function shardKeyIndex(
  collection: CollectionDescription,
  pattern: ShardKeyPattern,
): IndexDescription {
  const found = collection.indexes.find((index) => servesShardKey(index, pattern));
  if (found !== undefined) return found;
  throw new CommandError(
    'IndexNotFound',
    `couldn't find an index over the shard key of ${collection.namespace}`,
  );
}

/** Bounds that are not given are those of all keys. */
export function textRangeOf(
  pattern: ShardKeyPattern,
  min: Buffer | undefined,
  max: Buffer | undefined,
): KeyTextRange {
  return {
    min: min === undefined ? BELOW_ALL_KEYS : pattern.boundText(min),
    max: max === undefined ? ABOVE_ALL_KEYS : pattern.boundText(max),
  };
}

export function indexRange({ min, max }: KeyTextRange): KeyRange {
  return {
    ...(min === BELOW_ALL_KEYS ? {} : { lower: bytesOf(min), lowerInclusive: true }),
    ...(max === ABOVE_ALL_KEYS ? {} : { upper: bytesOf(max), upperInclusive: false }),
  };
}

/** @param visit called at every entry; it must not wait. It says whether to go on */
export async function walkKeys(
  op: OperationContext,
  index: IndexDescription,
  range: KeyTextRange,
  visit: (cursor: IndexCursor) => boolean,
): Promise<void> {
  const cursor = op.view().scanIndex(index, indexRange(range), 1);
  try {
    for (let count = 1; cursor.next(); count += 1) {
      if (!visit(cursor)) return;
      if (count % ENTRIES_PER_SLICE !== 0) continue;
      cursor.detach();
      await op.yield();
      cursor.attach(op.renewView());
    }
  } finally {
    cursor.close();
  }
}

function bytesOf(text: KeyText): Buffer {
  return Buffer.from(text, 'latin1');
}

function isPartialOrCollated({ spec }: IndexDescription): boolean {
  return ['partialFilterExpression', 'collation', 'hidden'].some(
    (option) => getField(spec, option)?.isTruthy() === true,
  );
}
