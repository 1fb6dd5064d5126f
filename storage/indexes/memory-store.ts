/**
 * The index store in memory: for simulation, tests and servers that keep nothing.
 *
 * It crashes as LMDB may: a commit that had not become durable vanishes whole or stays whole.
 */
import { invariant } from '../../common/assert.ts';
import { DeviceError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import {
  decodeStoreIdentity,
  encodeStoreIdentity,
  STORE_IDENTITY_KEY,
  type CheckpointStamp,
} from '../format/store-identity.ts';
import { applyChanges } from './apply-changes.ts';
import type { ChangesChunk, IndexChanges } from './changes.ts';
import type {
  CommitResult,
  IndexSnapshot,
  IndexStore,
  IndexStoreStatistics,
  StoreCursor,
  StoreRange,
} from './contract.ts';
import {
  EMPTY_TREE,
  getFromTree,
  seekTree,
  TreeEditor,
  type OrderedTree,
  type TreePosition,
} from './ordered-tree.ts';
import { CHECKSUM_BYTES, checkValue, openValue, sealedValue } from './sealed-value.ts';
import { NEW_STORE_STAMP, refuseForeignStore, storeIsMissing } from './store-checks.ts';

/** Turns of the event loop between a commit's start and its end, so that power can be cut in between. */
const COMMIT_TURNS = 3;

/** What outlives a crash. At most one store is open on it. */
export class MemoryIndexDisk {
  private durable: OrderedTree | undefined;
  private pending: OrderedTree | undefined;
  private powerCuts = 0;

  /** Ends the open store as a crash would. A commit in flight is then there whole or not at all, as `random` decides. */
  powerCut(random: Random): void {
    if (this.pending !== undefined && random.below(2) === 0) this.durable = this.pending;
    this.pending = undefined;
    this.powerCuts += 1;
  }

  /** The store is gone, as if its file had been removed. */
  lose(): void {
    this.durable = undefined;
  }

  /** A repair of the store that it belongs to began and has not ended. */
  repairIsUnfinished = false;

  /** Holds what another disk holds, from now on: as if that one's file had been renamed over it. */
  become(other: MemoryIndexDisk): void {
    this.durable = other.durable;
  }

  /** Of the store on it, 16 bytes. @throws CorruptionError missing */
  get storeId(): Buffer {
    if (this.durable === undefined) throw storeIsMissing('memory');
    return identityOf(this.durable).storeId;
  }

  /** For the store: counts power cuts, so that a store knows whether it outlived one. */
  get era(): number {
    return this.powerCuts;
  }

  /** For the store: the durable state, undefined for a disk without one. */
  get state(): OrderedTree | undefined {
    return this.durable;
  }

  /** For the store: makes a state durable after some turns. @throws DeviceError ENODEV after a power cut */
  async write(state: OrderedTree): Promise<void> {
    const era = this.powerCuts;
    this.pending = state;
    for (let turn = 0; turn < COMMIT_TURNS; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.powerCuts !== era) throw powerLost();
    }
    this.durable = state;
    this.pending = undefined;
  }
}

export interface MemoryStoreOptions {
  readonly disk: MemoryIndexDisk;
  /** 16 bytes; a store with another id is refused. */
  readonly storeId: Buffer;
  /** Make a new store when there is none. */
  readonly create: boolean;
}

/** @throws CorruptionError missing, foreign */
export async function openMemoryIndexStore(options: MemoryStoreOptions): Promise<IndexStore> {
  const { disk, storeId, create } = options;
  if (disk.state === undefined) {
    if (!create) throw storeIsMissing('memory');
    await disk.write(withIdentity(new TreeEditor(EMPTY_TREE), storeId, NEW_STORE_STAMP));
  }
  const store = new MemoryIndexStore(options);
  return store;
}

class MemoryIndexStore implements IndexStore {
  private readonly disk: MemoryIndexDisk;
  private readonly storeId: Buffer;
  private readonly era: number;
  private readonly snapshots = new Set<MemorySnapshot>();
  private committing = false;
  private closed = false;
  private commits = 0;
  private operations = 0;

  constructor({ disk, storeId }: MemoryStoreOptions) {
    this.disk = disk;
    this.storeId = storeId;
    this.era = disk.era;
    refuseForeignStore('memory', identityOf(this.state()).storeId, storeId);
  }

  get stamp(): CheckpointStamp {
    return identityOf(this.state()).stamp;
  }

  beginRead(): IndexSnapshot {
    invariant(!this.closed, 'index store: read after close');
    const snapshot = new MemorySnapshot(this.state(), (released) =>
      this.snapshots.delete(released),
    );
    this.snapshots.add(snapshot);
    return snapshot;
  }

  async commit(changes: IndexChanges, stamp: CheckpointStamp): Promise<CommitResult> {
    invariant(!this.closed, 'index store: commit after close');
    invariant(!this.committing, 'index store: two commits at once');
    const editor = new TreeEditor(this.state());
    this.committing = true;
    try {
      const result = applyChanges(privateCopies(changes.chunks()), editor);
      await this.disk.write(withIdentity(editor, this.storeId, stamp));
      this.commits += 1;
      this.operations += changes.count;
      return result;
    } finally {
      this.committing = false;
    }
  }

  statistics(): IndexStoreStatistics {
    return {
      commits: this.commits,
      operations: this.operations,
      commitMs: 0,
      openSnapshots: this.snapshots.size,
      fileBytes: 0,
      writerBytes: 0,
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    invariant(!this.committing, 'index store: closed during a commit');
    this.closed = true;
    for (const snapshot of this.snapshots) snapshot.release();
  }

  private state(): OrderedTree {
    if (this.disk.era !== this.era) throw powerLost();
    invariant(this.disk.state !== undefined, 'memory index store: its disk was lost while open');
    return this.disk.state;
  }
}

class MemorySnapshot implements IndexSnapshot {
  readonly stamp: CheckpointStamp;
  private readonly tree: OrderedTree;
  private readonly onRelease: (snapshot: MemorySnapshot) => void;
  private released = false;

  constructor(tree: OrderedTree, onRelease: (snapshot: MemorySnapshot) => void) {
    this.tree = tree;
    this.onRelease = onRelease;
    this.stamp = identityOf(tree).stamp;
  }

  get(key: Buffer): Buffer | undefined {
    invariant(!this.released, 'index snapshot: read after release');
    const sealed = getFromTree(this.tree, key);
    return sealed === undefined ? undefined : Buffer.from(openValue(key, sealed));
  }

  scan(range: StoreRange): StoreCursor {
    invariant(!this.released, 'index snapshot: scan after release');
    return new MemoryCursor(this.tree, range, () => this.released);
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.onRelease(this);
  }
}

const NO_BYTES = Buffer.alloc(0);

class MemoryCursor implements StoreCursor {
  private readonly tree: OrderedTree;
  private readonly range: StoreRange;
  private readonly isReleased: () => boolean;
  private readonly ascending: boolean;
  /** Of the entry that the following next() gives. */
  private upcoming: TreePosition;
  private closed = false;
  private currentKey: Buffer = NO_BYTES;
  private currentValue: Buffer = NO_BYTES;

  constructor(tree: OrderedTree, range: StoreRange, isReleased: () => boolean) {
    this.tree = tree;
    this.range = range;
    this.isReleased = isReleased;
    this.ascending = range.direction !== -1;
    this.upcoming = this.firstOfRange();
  }

  get key(): Buffer {
    return this.currentKey;
  }

  get value(): Buffer {
    return this.currentValue;
  }

  next(): boolean {
    if (this.closed) return false;
    invariant(!this.isReleased(), 'index snapshot: scan after release');
    const { leaf, slot } = this.upcoming;
    const entries = this.tree.leaves[leaf];
    const key = entries?.keys[slot];
    if (key === undefined || this.isPastEnd(key)) return false;
    const sealed = entries.values[slot];
    checkValue(key, sealed);
    this.currentKey = Buffer.from(key);
    this.currentValue = Buffer.from(sealed.subarray(0, sealed.length - CHECKSUM_BYTES));
    this.upcoming = this.ascending ? this.after(this.upcoming) : this.before(this.upcoming);
    return true;
  }

  seek(key: Buffer): void {
    const { lower, upper } = this.range;
    const bound = this.ascending ? lower : upper;
    const order = bound === undefined ? 1 : Buffer.compare(key, bound);
    const withinRange = bound === undefined || (this.ascending ? order > 0 : order < 0);
    if (!withinRange) this.upcoming = this.firstOfRange();
    else if (this.ascending) this.upcoming = seekTree(this.tree, key, false);
    else this.upcoming = this.before(seekTree(this.tree, key, true));
  }

  /** Nothing to let go of: a tree stays as it is. */
  suspend(): void {}

  close(): void {
    this.closed = true;
  }

  private firstOfRange(): TreePosition {
    const { lower, lowerInclusive = true, upper, upperInclusive = false } = this.range;
    if (this.ascending) {
      return lower === undefined
        ? { leaf: 0, slot: 0 }
        : seekTree(this.tree, lower, !lowerInclusive);
    }
    return this.before(
      upper === undefined
        ? { leaf: this.tree.leaves.length, slot: 0 }
        : seekTree(this.tree, upper, upperInclusive),
    );
  }

  private isPastEnd(key: Buffer): boolean {
    const { lower, lowerInclusive = true, upper, upperInclusive = false } = this.range;
    const bound = this.ascending ? upper : lower;
    if (bound === undefined) return false;
    const order = Buffer.compare(key, bound);
    if (this.ascending) return upperInclusive ? order > 0 : order >= 0;
    return lowerInclusive ? order < 0 : order <= 0;
  }

  private after({ leaf, slot }: TreePosition): TreePosition {
    return slot + 1 < this.tree.leaves[leaf].keys.length
      ? { leaf, slot: slot + 1 }
      : { leaf: leaf + 1, slot: 0 };
  }

  private before({ leaf, slot }: TreePosition): TreePosition {
    if (slot > 0) return { leaf, slot: slot - 1 };
    return leaf === 0
      ? { leaf: this.tree.leaves.length, slot: 0 }
      : { leaf: leaf - 1, slot: this.tree.leaves[leaf - 1].keys.length - 1 };
  }
}

function identityOf(tree: OrderedTree): ReturnType<typeof decodeStoreIdentity> {
  const sealed = getFromTree(tree, STORE_IDENTITY_KEY);
  if (sealed === undefined) throw storeIsMissing('memory');
  return decodeStoreIdentity(openValue(STORE_IDENTITY_KEY, sealed));
}

function withIdentity(editor: TreeEditor, storeId: Buffer, stamp: CheckpointStamp): OrderedTree {
  const identity = encodeStoreIdentity({ storeId, stamp });
  editor.put(STORE_IDENTITY_KEY, sealedValue(STORE_IDENTITY_KEY, identity));
  return editor.finish();
}

/** The tree keeps slices of these, and the changes are the caller's. */
function* privateCopies(chunks: readonly ChangesChunk[]): Iterable<Buffer> {
  for (const chunk of chunks) yield Buffer.from(Buffer.from(chunk.memory, 0, chunk.usedBytes));
}

function powerLost(): DeviceError {
  return new DeviceError('ENODEV', 'memory index store: power was lost');
}
