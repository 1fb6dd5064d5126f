/**
 * The generators of index keys that the engine is opened with. Keys that take long to make are made on a thread beforehand, where the
 * caller can wait.
 */
import { COLLATION_KEY_VERSION } from '../collation/collation-key.ts';
import type { IndexDescription, KeyGenerator, VersionedKeys } from '../../storage/index.ts';
import { collatorOf } from './collation.ts';
import { keysAtOnce } from './keys-at-once.ts';
import { slowPartForKeys } from './part-for-keys.ts';
import { preparedKeys } from './prepared-keys.ts';
import { kindOf } from './registry.ts';

/** @returns undefined for an index that storage makes the keys of by itself: ordered, whole, without collation. */
export function indexKeyGenerator(index: IndexDescription): KeyGenerator | undefined {
  const generator = keysAtOnce(index);
  if (generator === undefined || kindOf(index).takesLong === undefined) return generator;
  return {
    keysOf: (document) => {
      const part = slowPartForKeys(index, document);
      const known = part === undefined ? undefined : preparedKeys.keysOf(index, part);
      return known ?? generator.keysOf(document);
    },
    prepare: (document) => {
      const part = slowPartForKeys(index, document);
      return part === undefined ? undefined : preparedKeys.prepare(index, part);
    },
  };
}

/** Keys of indexes with a collation change with the order of letters. */
export const VERSIONED_KEYS: VersionedKeys = {
  version: COLLATION_KEY_VERSION,
  concerns: (index) => collatorOf(index) !== undefined,
};
