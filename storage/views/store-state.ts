/**
 * The running store as views and transactions share it: the current epoch, the last commit, who is open.
 *
 * Invariants:
 *  1. `epoch`, `lastCommitNumber`, catalog and active generation change only inside one synchronous step each: of a
 *     commit, of a checkpoint's freeze, or of its publication.
 *  2. Every open view is in `views` and, by its commit number, in `snapshots`.
 */
import { CommandError } from '../../common/errors.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { KeyGeneratorSource } from '../catalog/index-keys.ts';
import type { CommitNumber, Ident, PageCompression, RecordId } from '../contract.ts';
import type { Random } from '../../common/random.ts';
import type { Generation } from '../delta/generation.ts';
import type { SlabPool } from '../delta/slab-pool.ts';
import type { OpenSnapshots } from '../delta/open-snapshots.ts';
import type { Journal } from '../journal/contract.ts';
import type { Epoch } from './epoch.ts';
import type { OpenList } from '../open-list.ts';

/** An open transaction with writes, as others ask it before they write. */
export interface PendingWriter {
  /** Resolves when it has committed or aborted. */
  readonly ended: Promise<void>;
  /** What it holds in memory, bytes. */
  readonly pendingBytes: number;
  hasWrittenRecord(collection: Ident, recordId: RecordId): boolean;
  hasWrittenKey(index: Ident, key: Buffer): boolean;
  hasWrittenNamespace(namespace: string): boolean;
}

/** A view that a checkpoint may move to a younger epoch, or end when memory runs out. */
export interface OpenView {
  readonly commitNumber: CommitNumber;
  moveTo(epoch: Epoch): void;
  pinsOtherThan(epoch: Epoch): boolean;
  /** The generations that it keeps in memory. */
  readonly layers: readonly Generation[];
  endAsTooOld(): void;
  close(): void;
}

/** Whether there is room for what makes the store larger. */
export interface SpaceGate {
  /** Only then refuseGrowth() has anything to say. */
  readonly isTight: boolean;
  /** @throws CommandError OutOfDiskSpace */
  refuseGrowth(): void;
}

export interface StoreState {
  readonly space: SpaceGate;
  readonly catalog: Catalog;
  readonly snapshots: OpenSnapshots;
  readonly views: OpenList<OpenView>;
  readonly writers: OpenList<PendingWriter>;
  readonly journal: Journal;
  readonly random: Random;
  readonly keyGenerators: KeyGeneratorSource;
  /** Of collections that are created without a word about it. */
  readonly compression: PageCompression;
  /** Largest transaction, bytes of its writes in memory. */
  readonly transactionBytes: number;
  /** What all open transactions hold, bytes. */
  openTransactionBytes: number;
  /** Of the delta's generations. */
  readonly slabPool: SlabPool;
  epoch: Epoch;
  lastCommitNumber: CommitNumber;
  /** Commit number of the last freeze: what an index build scanned before it is folded with that generation. */
  frozenUpTo: CommitNumber;
  /** Of all versioned keys in this store; the next checkpoint writes it down. */
  keyVersion: string | undefined;
  /** Unique indexes whose entries a build compares: commits note the keys that they add meanwhile, as text of one character per byte. */
  readonly watchedKeys: Map<Ident, Set<string>>;
  /** Why nothing can be written any more, if so. */
  failure: Error | undefined;
  /** Commits that changed the catalog: their collections go into the next checkpoint. */
  readonly changedCollections: Set<Ident>;
}

/** @throws CommandError InternalError once the store has failed */
export function requireWorking({ failure }: StoreState): void {
  if (failure === undefined) return;
  throw new CommandError('InternalError', 'The storage engine has failed', { cause: failure });
}

/** The generation that commits write to. */
export function activeGeneration(store: StoreState): Generation {
  return store.epoch.generations[0];
}

/** The description of a collection that a caller holds, as of now. */
export function latestVersion(store: StoreState, ident: Ident): CollectionVersion | undefined {
  return store.catalog.stateByIdent(ident)?.versions.latest;
}
