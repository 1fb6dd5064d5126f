/**
 * A store's last checkpoint as views read it, without the journal over it and without an engine: for who only looks.
 */
import type { Random } from '../../common/random.ts';
import type { BlockStore } from '../blocks/contract.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { KeyGeneratorSource } from '../catalog/index-keys.ts';
import { Generation } from '../delta/generation.ts';
import { OpenSnapshots } from '../delta/open-snapshots.ts';
import { SlabPool } from '../delta/slab-pool.ts';
import { DEFAULT_PAGE_COMPRESSION } from '../contract.ts';
import type { IndexStore } from '../indexes/contract.ts';
import type { Journal } from '../journal/contract.ts';
import { OpenList } from '../open-list.ts';
import { loadCatalog } from '../recovery/load-catalog.ts';
import { BaseEpoch } from '../views/base-epoch.ts';
import type { StoreState } from '../views/store-state.ts';

export interface BaseParts {
  readonly blocks: BlockStore;
  readonly indexes: IndexStore;
  /** Never replayed, and never written to. */
  readonly journal: Journal;
  readonly random: Random;
  readonly keyGenerators: KeyGeneratorSource;
}

/** The caller unpins the epoch's base. @throws CorruptionError when the catalog cannot be read */
export function stateOfBase(parts: BaseParts): StoreState {
  const { blocks, indexes, journal, random, keyGenerators } = parts;
  const base = new BaseEpoch(indexes.beginRead(), blocks, () => {});
  const slabPool = new SlabPool(0);
  const store: StoreState = {
    space: { isTight: false, refuseGrowth() {} },
    slabPool,
    catalog: new Catalog(),
    snapshots: new OpenSnapshots(),
    views: new OpenList(),
    writers: new OpenList(),
    journal,
    random,
    keyGenerators,
    compression: DEFAULT_PAGE_COMPRESSION,
    transactionBytes: 0,
    openTransactionBytes: 0,
    epoch: { base, generations: [new Generation({ pool: slabPool })] },
    lastCommitNumber: base.commitNumber,
    frozenUpTo: base.commitNumber,
    failure: undefined,
    changedCollections: new Set(),
    watchedKeys: new Map(),
    keyVersion: undefined,
  };
  try {
    loadCatalog(store);
    return store;
  } catch (error) {
    base.unpin();
    throw error;
  }
}
