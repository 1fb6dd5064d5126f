/**
 * Makes all index entries of a collection anew from its documents.
 *
 * An index that was being built at the checkpoint gets all its entries, too: the journal says how its build ended. Entries are sorted
 * within a batch, so that neighbours go into the tree together.
 */
import { isMultikey, uniteMultikeyPaths, type MultikeyPaths } from '../../bson/index.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { BlockStore } from '../blocks/contract.ts';
import { CollectionVersion } from '../catalog/collection-version.ts';
import { storedKeyOf, type KeyGeneratorSource } from '../catalog/index-keys.ts';
import { BulkLoad } from '../checkpoint/bulk-load.ts';
import { Slices } from '../checkpoint/fold.ts';
import type { Clock } from '../../common/clock.ts';
import type { CollectionDescription, IndexDescription } from '../contract.ts';
import type { CheckpointStamp } from '../format/store-identity.ts';
import { IndexChanges } from '../indexes/changes.ts';
import type { IndexStore } from '../indexes/contract.ts';
import { recordsOf } from './records-of.ts';

/** Entries held before they are written, bytes about. */
const BATCH_BYTES = 64 * 1024 * 1024;

export interface IndexRebuildParts {
  readonly blocks: BlockStore;
  readonly indexes: IndexStore;
  readonly clock: Clock;
  readonly stamp: CheckpointStamp;
  readonly keyGenerators: KeyGeneratorSource;
}

/** @returns the collection's indexes, with all arrays that were met @throws DeviceError */
export async function rebuildIndexes(
  parts: IndexRebuildParts,
  description: CollectionDescription,
  onUnreadable: (recordId: number, error: CorruptionError) => void,
): Promise<readonly IndexDescription[]> {
  const { clock, indexes, stamp } = parts;
  if (description.indexes.length === 0) return [];
  const { writers } = new CollectionVersion(description, parts.keyGenerators);
  const multikey: MultikeyPaths[] = description.indexes.map((index) => index.multikeyPaths);
  let loads = writers.map(({ index }) => new BulkLoad(index.ident));
  const flush = async (): Promise<void> => {
    const changes = new IndexChanges();
    const slices = new Slices(clock);
    for (const load of loads) await load.addTo(changes, slices);
    loads = writers.map(({ index }) => new BulkLoad(index.ident));
    await indexes.commit(changes, stamp);
  };
  for await (const { recordId, document } of recordsOf(parts, description.ident, onUnreadable)) {
    for (const [position, { generator }] of writers.entries()) {
      const { keys, multikeyPaths } = generator.keysOf(document);
      for (const key of keys) loads[position].add({ stored: storedKeyOf(key), recordId });
      if (multikeyPaths === undefined) continue;
      multikey[position] = uniteMultikeyPaths(multikey[position], multikeyPaths);
    }
    if (loads.reduce((bytes, load) => bytes + load.bytes, 0) >= BATCH_BYTES) await flush();
  }
  await flush();
  return description.indexes.map((index, position) => {
    const multikeyPaths = multikey[position];
    return { ...index, multikeyPaths, multikey: isMultikey(multikeyPaths) };
  });
}
