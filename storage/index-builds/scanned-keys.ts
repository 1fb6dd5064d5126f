/**
 * The keys of scanned documents for the indexes of one build, and where those documents have arrays.
 */
import { type EncodedKey, type MultikeyPaths, uniteMultikeyPaths } from '../../bson/index.ts';
import {
  createIndexWriter,
  prepareKeys,
  storedKeyOf,
  type IndexWriter,
} from '../catalog/index-keys.ts';
import type { IndexDescription } from '../contract.ts';
import type { StoreState } from '../views/store-state.ts';
import type { StoredKey } from '../catalog/index-keys.ts';

export class ScannedKeys {
  readonly writers: readonly IndexWriter[];
  private readonly paths: MultikeyPaths[];

  constructor(store: StoreState, indexes: readonly IndexDescription[]) {
    this.writers = indexes.map((index) => createIndexWriter(index, store.keyGenerators));
    this.paths = indexes.map((index) => index.multikeyPaths);
  }

  /** @returns undefined when there is nothing to wait for before keysOf() */
  prepare(document: Buffer): Promise<unknown> | undefined {
    return prepareKeys(this.writers, document);
  }

  /** Calls `visit` for every key of a document, with the position of its index in the build. */
  keysOf(
    document: Buffer,
    visit: (position: number, stored: StoredKey, key: EncodedKey) => void,
  ): void {
    for (const [position, writer] of this.writers.entries()) {
      const { keys, multikeyPaths } = writer.generator.keysOf(document);
      for (const key of keys) visit(position, storedKeyOf(key), key);
      if (multikeyPaths === undefined) continue;
      this.paths[position] = uniteMultikeyPaths(this.paths[position], multikeyPaths);
    }
  }

  /** For each field of an index which components of its path were arrays so far. */
  multikeyPaths(position: number): MultikeyPaths {
    return this.paths[position];
  }
}
