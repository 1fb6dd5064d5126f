/**
 * Freezing: the synchronous start of a checkpoint. What it takes is never written again.
 */
import { EMPTY_SIZE, type CollectionSize } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type { CommitNumber, Ident, RecordId } from '../contract.ts';
import { Generation } from '../delta/generation.ts';
import { activeGeneration, type StoreState } from '../views/store-state.ts';
import type { BulkLoad } from './bulk-load.ts';

/** One collection that changed, as it was at the freeze. */
export interface FrozenCollection {
  readonly ident: Ident;
  /** undefined: dropped. */
  readonly version: CollectionVersion | undefined;
  readonly size: CollectionSize;
  readonly recordIdHighWater: RecordId;
}

/** What one checkpoint folds. */
export interface Frozen {
  readonly commitNumber: CommitNumber;
  readonly generation: Generation;
  /** In order of ident. */
  readonly collections: readonly FrozenCollection[];
  readonly identHighWater: number;
  readonly keyVersion: string | undefined;
  /** Entries that index builds have scanned since the last freeze; older than the generation's, and put before them. */
  readonly bulkLoads: readonly BulkLoad[];
}

/** An index build that is under way. */
export interface ScanningBuild {
  /** Hands over what it has scanned so far, and starts anew. */
  takeScanned(): readonly BulkLoad[];
}

/** Starts a new active generation above the one that is frozen. One synchronous step. */
export function freeze(store: StoreState, builds: Iterable<ScanningBuild>): Frozen {
  const generation = activeGeneration(store);
  const commitNumber = store.lastCommitNumber;
  const collections = [...store.changedCollections]
    .sort((a, b) => a - b)
    .map((ident) => freezeCollection(store, ident));
  store.changedCollections.clear();
  store.frozenUpTo = commitNumber;
  store.epoch = {
    base: store.epoch.base,
    generations: [new Generation({ pool: store.slabPool }), generation],
  };
  return {
    commitNumber,
    generation,
    collections,
    identHighWater: store.catalog.identHighWater,
    keyVersion: store.keyVersion,
    bulkLoads: [...builds].flatMap((build) => build.takeScanned()),
  };
}

function freezeCollection(store: StoreState, ident: Ident): FrozenCollection {
  const state = store.catalog.stateByIdent(ident);
  return {
    ident,
    version: state?.versions.latest,
    size: state?.sizes.latest ?? EMPTY_SIZE,
    recordIdHighWater: state?.recordIdHighWater ?? (0 as RecordId),
  };
}
