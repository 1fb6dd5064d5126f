/**
 * Which indexes a collection must have, and must not have, to be sharded by a key.
 *
 * A unique index is unique on each shard alone: it may stay only where equal keys are on the same shard. The key itself needs an index
 * that holds every document, which migrations and removals walk; a unique key needs one that is unique.
 * Source: MongoDB's manual, "Shard Key Indexes" and "Unique Indexes" of sharded collections.
 */
import { documentOf, getField, inspect } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionDescription, IndexDescription } from '../../storage/index.ts';
import type { ShardKeyPattern } from './shard-key-pattern.ts';
import { servesShardKey } from './shard-key-walk.ts';

/** An index for the key that is not there, and what is wrong with those that begin like it. */
export interface MissingIndex {
  /** Sentences, one for each such index. */
  readonly unsuited: readonly string[];
  /** One has exactly the key's fields: a better one of the same fields cannot be made beside it. */
  readonly isTaken: boolean;
}

/**
 * @param isUnique the key's own index has to be unique
 * @returns undefined when all is well; whether the index can be made is for the caller to say
 * @throws CommandError InvalidOptions for an index that stands in the way
 */
export function missingKeyIndex(
  { namespace, indexes }: CollectionDescription,
  pattern: ShardKeyPattern,
  isUnique: boolean,
): MissingIndex | undefined {
  for (const index of indexes) checkUnique(index, pattern, namespace);
  const similar = indexes.filter((index) => beginsWith(index, pattern));
  const suited = similar.filter((index) => servesShardKey(index, pattern));
  const isExact = ({ fields }: IndexDescription): boolean =>
    fields.length === pattern.fields.length;
  if (isUnique) {
    const exact = suited.find(isExact);
    uassert(
      exact === undefined || exact.unique || pattern.fields[0].path.text === '_id',
      'InvalidOptions',
      `can't shard collection ${namespace}, ${inspect(pattern.pattern)} index not unique, and unique index explicitly specified`,
    );
    if (exact !== undefined) return undefined;
  } else if (suited.length > 0) return undefined;
  const unsuited = similar.filter((index) => !suited.includes(index));
  return {
    unsuited: unsuited.map((index) => `Index ${index.name}: ${reasonsAgainst(index).join(' ')}`),
    isTaken: unsuited.some(isExact),
  };
}

/** No index of the key will do, although there are some. */
export function unsuitedIndexes(
  { pattern }: ShardKeyPattern,
  { unsuited }: MissingIndex,
): CommandError {
  return new CommandError(
    'InvalidOptions',
    `couldn't find valid index for shard key ${inspect(pattern)}: ${unsuited.join('; ')}`,
  );
}

/** Equal keys of a unique index are on one shard: its paths begin with the shard key's, or with `_id`. */
export function mayBeUnique(paths: readonly string[], { fields }: ShardKeyPattern): boolean {
  return paths[0] === '_id' || fields.every(({ path }, at) => paths[at] === path.text);
}

/** @param dropped are about to go. @throws CommandError CannotDropShardKeyIndex when the shard key would be left without one */
export function checkKeyIndexStays(
  { indexes }: CollectionDescription,
  dropped: ReadonlySet<IndexDescription>,
  pattern: ShardKeyPattern,
): void {
  const serving = indexes.filter((index) => servesShardKey(index, pattern));
  if (serving.length === 0 || serving.some((index) => !dropped.has(index))) return;
  throw new CommandError(
    'CannotDropShardKeyIndex',
    "Cannot drop the only compatible index for this collection's shard key",
  );
}

/** Without the last index that serves the shard key. */
export function withoutKeyIndex(
  { indexes }: CollectionDescription,
  dropped: readonly IndexDescription[],
  pattern: ShardKeyPattern,
): IndexDescription[] {
  const serving = indexes.filter((index) => servesShardKey(index, pattern));
  const isKept = serving.some((index) => !dropped.includes(index));
  const last = serving.at(-1);
  return isKept ? [...dropped] : dropped.filter((index) => index !== last);
}

function checkUnique(index: IndexDescription, pattern: ShardKeyPattern, namespace: string): void {
  if (!index.unique) return;
  uassert(
    mayBeUnique(
      index.fields.map(({ path }) => path),
      pattern,
    ),
    'InvalidOptions',
    `can't shard collection '${namespace}' with unique index on ${inspect(keyOf(index))} and proposed shard key ${inspect(pattern.pattern)}. Uniqueness can't be maintained unless shard key is a prefix`,
  );
}

function beginsWith(index: IndexDescription, { fields }: ShardKeyPattern): boolean {
  return fields.every(({ path, isHashed }, at) => {
    const field = index.fields[at];
    if (field === undefined || field.path !== path.text) return false;
    return isHashed ? field.kind === 'hashed' : field.kind === 'ordered' && field.direction === 1;
  });
}

function reasonsAgainst({ spec, sparse, multikey, ready }: IndexDescription): string[] {
  const reasons: string[] = [];
  if (has(spec, 'partialFilterExpression')) reasons.push('Index key is partial.');
  if (sparse) reasons.push('Index key is sparse.');
  if (multikey) reasons.push('Index key is multikey.');
  if (has(spec, 'collation')) reasons.push('Index has a non-simple collation.');
  if (has(spec, 'hidden')) reasons.push('Index is hidden.');
  if (!ready) reasons.push('Index is being built.');
  return reasons;
}

function has(spec: Buffer, option: string): boolean {
  return getField(spec, option)?.isTruthy() === true;
}

function keyOf({ spec }: IndexDescription): Buffer {
  return getField(spec, 'key')?.asDocument() ?? documentOf({});
}
