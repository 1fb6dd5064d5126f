/**
 * The keys of a document, made where they are asked for: the kind makes them, the partial filter says for which documents.
 */
import { compileIndexKeys } from '../../bson/index.ts';
import type { IndexDescription, KeyGenerator } from '../../storage/index.ts';
import { collatorOf } from './collation.ts';
import { partialFilterOf } from './partial-filter.ts';
import { kindOf } from './registry.ts';

/** @returns undefined for an index that storage makes the keys of by itself: ordered, whole, without collation. */
export function keysAtOnce(index: IndexDescription): KeyGenerator | undefined {
  const generator = kindOf(index).keyGenerator(index, collatorOf(index));
  const filter = partialFilterOf(index);
  if (filter === undefined) return generator;
  const all = generator ?? compileIndexKeys(index.fields, { sparse: index.sparse });
  return { keysOf: (document) => (filter.matches(document) ? all.keysOf(document) : NO_KEYS) };
}

const NO_KEYS = { keys: [], multikeyPaths: undefined };
