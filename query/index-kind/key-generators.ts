/**
 * The generators of index keys that the engine is opened with: the kind makes the keys, the partial filter says for which
 * documents.
 */
import { compileIndexKeys } from '../../bson/index.ts';
import { COLLATION_KEY_VERSION } from '../collation/collation-key.ts';
import type { IndexDescription, KeyGenerator, VersionedKeys } from '../../storage/index.ts';
import { collatorOf } from './collation.ts';
import { partialFilterOf } from './partial-filter.ts';
import { kindOf } from './registry.ts';

/** @returns undefined for an index that storage makes the keys of by itself: ordered, whole, without collation. */
export function indexKeyGenerator(index: IndexDescription): KeyGenerator | undefined {
  const generator = kindOf(index).keyGenerator(index, collatorOf(index));
  const filter = partialFilterOf(index);
  if (filter === undefined) return generator;
  const all = generator ?? compileIndexKeys(index.fields, { sparse: index.sparse });
  return { keysOf: (document) => (filter.matches(document) ? all.keysOf(document) : NO_KEYS) };
}

/** Keys of indexes with a collation change with the order of letters. */
export const VERSIONED_KEYS: VersionedKeys = {
  version: COLLATION_KEY_VERSION,
  concerns: (index) => collatorOf(index) !== undefined,
};

const NO_KEYS = { keys: [], multikeyPaths: undefined };
