/**
 * From a document to the keys of its entries in one index.
 *
 * Promises: keys are sorted by their bytes and without duplicates; a document whose paths cross no array costs one
 * look-up per path and one encoding.
 */
import { invariant } from '../common/assert.ts';
import { compareByteRanges } from './byte-order.ts';
import type { Collator } from './collator.ts';
import { getFieldAt } from './fields.ts';
import { encodeIndexKey, type Direction, type EncodedKey } from './index-key.ts';
import { KeyPaths } from './index-key-values.ts';
import type { MultikeyPaths } from './multikey-paths.ts';
import { parsePath } from './path.ts';

/** One field of an index's key pattern. */
export interface IndexField {
  readonly path: string;
  readonly direction: Direction;
}

export interface IndexKeyOptions {
  /** A document that has none of the fields gets no entry. */
  readonly sparse: boolean;
  readonly collator?: Collator;
}

export interface IndexKeys {
  readonly keys: EncodedKey[];
  /** Which parts of each field's path are arrays in this document; undefined when none is. */
  readonly multikeyPaths: MultikeyPaths | undefined;
}

export interface IndexKeyGenerator {
  /**
   * The entries of a document.
   * @throws CommandError CannotIndexParallelArrays (171) when two fields of the pattern lead to different arrays.
   */
  keysOf(document: Buffer): IndexKeys;
  /** Whether the fields that keys are made of hold the same bytes in both documents: then all keys are the same, too. */
  hasSameFields(before: Buffer, after: Buffer): boolean;
}

/** Compiles a key pattern. */
export function compileIndexKeys(
  fields: readonly IndexField[],
  options: IndexKeyOptions,
): IndexKeyGenerator {
  invariant(fields.length > 0, 'index: a key pattern has no fields');
  const { sparse, collator } = options;
  const directions = fields.map((field) => field.direction);
  const paths = new KeyPaths(fields.map((field) => field.path));
  const names = [...new Set(fields.map(({ path }) => parsePath(path).parts[0]))];
  return {
    hasSameFields: (before, after) => names.every((name) => hasSameField(before, after, name)),
    keysOf(document) {
      const plain = paths.tryPlain(document);
      if (plain !== undefined) {
        const isOmitted = sparse && plain.every((value) => value === undefined);
        const keys = isOmitted ? [] : [encodeIndexKey(plain, directions, collator)];
        return { keys, multikeyPaths: undefined };
      }
      const { tuples, multikeyPaths } = paths.valuesOf(document, sparse);
      const keys = tuples.map((values) => encodeIndexKey(values, directions, collator));
      return { keys: sortedWithoutDuplicates(keys), multikeyPaths };
    },
  };
}

function hasSameField(before: Buffer, after: Buffer, name: string): boolean {
  const a = getFieldAt(before, 0, name);
  const b = getFieldAt(after, 0, name);
  if (a === undefined || b === undefined) return a === b;
  return (
    a.type === b.type && compareByteRanges(a.bytes, a.start, a.end, b.bytes, b.start, b.end) === 0
  );
}

/** Keys in the order in which a generator gives them. Sorts in place. */
export function sortedWithoutDuplicates(keys: EncodedKey[]): EncodedKey[] {
  keys.sort(compareKeys);
  return keys.filter((key, index) => index === 0 || compareKeys(key, keys[index - 1]) !== 0);
}

function compareKeys(a: EncodedKey, b: EncodedKey): number {
  return compareByteRanges(a.key, 0, a.key.length, b.key, 0, b.key.length);
}
