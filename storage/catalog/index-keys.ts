/**
 * What writing a document means for one index: its stored keys, and where its paths cross arrays.
 *
 * Kinds of indexes that are more than ordered fields (hashed, text, 2dsphere, partial, wildcard) plug in through
 * `KeyGeneratorSource`: whoever opens the engine may give a generator for a specification.
 */
import {
  compileIndexKeys,
  type EncodedKey,
  getField,
  type MultikeyPaths,
} from '../../bson/index.ts';
import type { IndexDescription } from '../contract.ts';
import { MAX_WHOLE_INDEX_KEY_BYTES, NO_TYPE_BITS, storedIndexKey } from '../format/tree-key.ts';

/** Makes the keys of one document: sorted, without duplicates. */
export interface KeyGenerator {
  keysOf(document: Buffer): {
    readonly keys: readonly EncodedKey[];
    /** For each field which components of its path are arrays in this document; undefined when none is. */
    readonly multikeyPaths: MultikeyPaths | undefined;
  };
  /** Whether both documents certainly have the same keys, seen without making them. */
  hasSameFields?(before: Buffer, after: Buffer): boolean;
  /**
   * For a document whose keys take long to make: makes them elsewhere, so that keysOf() has them soon. Who cannot wait need not ask.
   * @returns undefined when there is nothing to wait for. The promise never rejects.
   */
  prepare?(document: Buffer): Promise<void> | undefined;
}

/** No document shorter than this has keys that take long to make. */
const LONG_DOCUMENT_BYTES = 32 * 1024;

/** Lets the generators of these indexes prepare the keys of a document. @returns undefined when there is nothing to wait for */
export function prepareKeys(
  writers: readonly IndexWriter[],
  document: Buffer,
): Promise<unknown> | undefined {
  if (document.length < LONG_DOCUMENT_BYTES) return undefined;
  const pending = writers.flatMap(({ generator }) => generator.prepare?.(document) ?? []);
  return pending.length === 0 ? undefined : Promise.all(pending);
}

/** Gives the generator of an index that is not made of ordered fields alone; undefined for the usual kind. */
export type KeyGeneratorSource = (index: IndexDescription) => KeyGenerator | undefined;

/** What keys of some indexes depend on besides their documents, such as the order of letters in a collation. */
export interface VersionedKeys {
  /** Another version makes other keys: indexes with keys of an older one are built again when the store is opened. */
  readonly version: string;
  readonly concerns: (index: IndexDescription) => boolean;
}

/** A key as delta and base keep it. */
export interface StoredKey {
  readonly key: Buffer;
  /** None for a key that was cut: nobody decodes it. */
  readonly typeBits: Buffer;
  /** False for a key that was cut. */
  readonly whole: boolean;
}

/** One index as writers see it. */
export interface IndexWriter {
  readonly index: IndexDescription;
  /**
   * No key of it may be written twice: it is unique, or is about to become so (prepareUnique: old duplicates stay). An index that is being
   * built refuses nothing yet: its build looks for duplicates itself.
   */
  readonly refusesDuplicates: boolean;
  readonly generator: KeyGenerator;
}

export function createIndexWriter(
  index: IndexDescription,
  source: KeyGeneratorSource,
): IndexWriter {
  return {
    index,
    refusesDuplicates: refusesDuplicates(index),
    generator:
      source(index) ??
      compileIndexKeys(
        index.fields.map(({ path, direction }) => ({ path, direction })),
        {
          sparse: index.sparse,
        },
      ),
  };
}

/** Whether a write of a key that is there is refused. */
export function refusesDuplicates({ ready, unique, spec }: IndexDescription): boolean {
  return ready && (unique || getField(spec, 'prepareUnique')?.isTruthy() === true);
}

export function isIdIndex(index: IndexDescription): boolean {
  return index.fields.length === 1 && index.fields[0].path === '_id';
}

/** The form in which delta and base keep an encoded key. */
export function storedKeyOf(encoded: EncodedKey): StoredKey {
  if (encoded.key.length <= MAX_WHOLE_INDEX_KEY_BYTES) {
    return { key: encoded.key, typeBits: encoded.typeBits, whole: true };
  }
  const { key, whole } = storedIndexKey(encoded.key);
  return { key, typeBits: NO_TYPE_BITS, whole };
}
