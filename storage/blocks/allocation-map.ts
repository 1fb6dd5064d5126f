/**
 * Which extents are free, used, or about to be free; what in them lives, and how far they are filled.
 *
 * Owns: the state of every extent. Invariants:
 *  1. An extent that the current base, a pinned base, or the base before the current one needs is never handed out.
 *  2. An extent freed by checkpoint n is free again only when n+1 is durable and no base before n is pinned.
 *  3. A damaged extent is never freed, nor handed out again when a checkpoint that wrote to it is taken back.
 *  4. Sectors of an extent are handed out once, in ascending order, until it is free again.
 *  5. An extent is not handed out while it is being discarded.
 * Bytes: docs/format/manifest.md#extents. Tests: test/storage/blocks/allocation-map.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import { EXTENT_STATE, type ManifestExtent } from '../format/manifest.ts';
import type { StoreLayout } from './layout.ts';

/** Owner of extents that several collections fill. */
export const SHARED_OWNER = 0;
/** Owner of the extents that hold manifests: apart from documents, so that they die whole. */
export const MANIFEST_OWNER = 1;

export interface ExtentCounts {
  readonly total: number;
  readonly free: number;
  readonly used: number;
  readonly pendingFree: number;
  readonly damaged: number;
}

interface Extent {
  state: ManifestExtent['state'];
  damaged: boolean;
  open: boolean;
  filledSectors: number;
  liveBytes: number;
  writtenBytes: number;
  tombstoneBytes: number;
  freedBy: number;
  firstGeneration: number;
  lastGeneration: number;
  owner: number;
  leadingSectors: number;
  /** Not stored: free extents that hold nothing on the disk any more, or are just being discarded. */
  discard: 'not yet' | 'under way' | 'done';
}

/** Neighbouring extents. */
export interface ExtentRun {
  readonly first: number;
  readonly count: number;
}

export class AllocationMap {
  private readonly layout: StoreLayout;
  private readonly extents: Extent[];
  /** The extent of each owner whose rest is still to be filled. */
  private openExtents = new Map<number, number>();
  /** No extent below is free. */
  private lowestFree = 0;
  /** How extents were before the open change set touched them. */
  private undo: Map<number, Extent> | undefined;

  /** A new store's map, or that of a manifest. */
  constructor(layout: StoreLayout, stored: readonly ManifestExtent[] = []) {
    this.layout = layout;
    this.extents = stored.map((extent) => ({ ...extent, discard: 'not yet' }));
    while (this.extents.length < layout.reservedExtents) {
      this.extents.push({ ...freeExtent(), state: EXTENT_STATE.reserved });
    }
    this.findOpenExtents();
  }

  get extentCount(): number {
    return this.extents.length;
  }

  /** The state as the manifest keeps it. Not to be changed. */
  get stored(): readonly ManifestExtent[] {
    return this.extents;
  }

  /** From here on changes can be taken back. */
  begin(): void {
    invariant(this.undo === undefined, 'allocation: a change set is open already');
    this.undo = new Map();
  }

  /** Keeps the changes since begin(). */
  keep(): void {
    invariant(this.undo !== undefined, 'allocation: no change set to keep');
    this.undo = undefined;
  }

  /** Takes back the changes since begin(), but keeps what was learnt about damage. Extents that were added are free. */
  rollBack(): void {
    invariant(this.undo !== undefined, 'allocation: no change set to take back');
    for (const [index, before] of this.undo) {
      // What was discarded may have been written since.
      this.extents[index] = {
        ...before,
        damaged: this.extents[index].damaged,
        discard: 'not yet',
      };
    }
    this.undo = undefined;
    this.findOpenExtents();
  }

  /** Sectors left in the extent that an owner fills; 0 when it has none. */
  roomOf(owner: number): number {
    const open = this.openExtents.get(owner);
    return open === undefined ? 0 : this.layout.extentSectors - this.extents[open].filledSectors;
  }

  hasOpenExtent(owner: number): boolean {
    return this.openExtents.has(owner);
  }

  /**
   * Hands out neighbouring sectors: the next ones of the owner's open extent, and as many further extents as it takes.
   * @returns the first sector
   */
  takeSectors(owner: number, sectorCount: number, generation: number): number {
    invariant(sectorCount > 0, 'allocation: nothing asked for');
    if (sectorCount > this.roomOf(owner)) this.openMore(owner, sectorCount);
    const first = this.openExtents.get(owner);
    invariant(first !== undefined, 'allocation: no open extent');
    const sector = this.layout.firstSectorOf(first) + this.extents[first].filledSectors;
    this.layout.forEachTouchedExtent(sector, sectorCount, (extent, bytes) => {
      const sectors = bytes / this.layout.sectorBytes;
      this.fill(extent, sectors, generation);
      if (extent !== first) this.edit(extent).leadingSectors = sectors;
      this.setOpen(owner, extent);
    });
    if (this.roomOf(owner) === 0) this.close(owner);
    return sector;
  }

  /** Records that were written there and live from now on. */
  addLive(extent: number, bytes: number): void {
    const entry = this.edit(extent);
    invariant(entry.state === EXTENT_STATE.used, 'allocation: live bytes in an extent not in use');
    entry.liveBytes += bytes;
    entry.writtenBytes += bytes;
  }

  /** A record that lives no longer. Ignores one of an earlier life of the extent. @returns whether it counted */
  removeLive(extent: number, bytes: number, generation: number): boolean {
    const entry = this.extents[extent];
    invariant(entry !== undefined, 'allocation: no such extent');
    if (entry.state !== EXTENT_STATE.used || generation < entry.firstGeneration) return false;
    invariant(entry.liveBytes >= bytes, 'allocation: more died than lived');
    this.edit(extent).liveBytes -= bytes;
    return true;
  }

  addTombstones(extent: number, bytes: number): void {
    const entry = this.edit(extent);
    entry.tombstoneBytes += bytes;
    entry.writtenBytes += bytes;
  }

  /** What of an extent's sectors is still needed, bytes: as much of them as of what was written there. */
  livingBytes(extent: number): number {
    return livingBytes(this.extents[extent], this.layout.sectorBytes);
  }

  /** The tombstones of an extent stand elsewhere now, or are not needed any more. */
  dropTombstones(extent: number): void {
    this.edit(extent).tombstoneBytes = 0;
  }

  markDamaged(extent: number): void {
    const entry = this.extents[extent];
    if (entry === undefined) return;
    entry.damaged = true;
  }

  /** Empties the extents that one collection filled alone; settle() frees them. */
  dropOwner(owner: number): void {
    invariant(owner !== SHARED_OWNER, 'allocation: shared extents have no owner to drop');
    this.close(owner);
    for (const [index, extent] of this.extents.entries()) {
      if (extent.state !== EXTENT_STATE.used || extent.owner !== owner) continue;
      this.edit(index);
      extent.liveBytes = 0;
      extent.tombstoneBytes = 0;
      // Whatever the record map still says about it is of the past.
      extent.firstGeneration = extent.lastGeneration + 1;
    }
  }

  /** The end of a checkpoint: extents in which nothing lives any more will be free. */
  settle(checkpoint: number): void {
    this.closeDeadExtents();
    const oldest = this.oldestPastGeneration;
    for (const [index, extent] of this.extents.entries()) {
      if (extent.state !== EXTENT_STATE.used || extent.damaged || extent.liveBytes > 0) continue;
      // A tombstone is needed as long as something older than it might come back.
      if (extent.tombstoneBytes > 0 && oldest < extent.lastGeneration) continue;
      this.edit(index);
      extent.state = EXTENT_STATE.pendingFree;
      extent.freedBy = checkpoint;
      invariant(!extent.open, 'allocation 1: an open extent was freed');
      invariant(
        this.openExtents.get(extent.owner) !== index,
        'allocation 1: freed extent is filled',
      );
    }
  }

  /**
   * Nothing more is written where nothing lives, though tombstones keep it: what died there counts as gone, and would be found by a repair
   * as soon as something beside it lived.
   */
  private closeDeadExtents(): void {
    for (const [owner, index] of this.openExtents) {
      if (this.extents[index].liveBytes === 0) this.close(owner);
    }
  }

  /** Extents that may be free again, with invariant 2. */
  reclaimable(durableCheckpoint: number, oldestPinned: number): number[] {
    const found: number[] = [];
    for (const [index, extent] of this.extents.entries()) {
      if (extent.state !== EXTENT_STATE.pendingFree || extent.damaged) continue;
      if (extent.freedBy < durableCheckpoint && extent.freedBy <= oldestPinned) found.push(index);
    }
    return found;
  }

  /** Makes extents of reclaimable() free. */
  free(extents: readonly number[]): void {
    for (const index of extents) {
      invariant(
        this.extents[index].state === EXTENT_STATE.pendingFree,
        'allocation 2: not pending',
      );
      invariant(!this.extents[index].damaged, 'allocation 3: damaged extent freed');
      this.extents[index] = freeExtent();
      this.lowestFree = Math.min(this.lowestFree, index);
    }
  }

  /**
   * Closed extents of which at most a part lives, or is tombstones that are still needed; the emptiest first.
   * @param mostLiveBytes of livingBytes(); above it an extent does not count
   * @param before extents that were written in this or a later generation do not count
   */
  sparseExtents(mostLiveBytes: number, before: number): number[] {
    const found: number[] = [];
    const oldest = this.oldestPastGeneration;
    for (const [index, extent] of this.extents.entries()) {
      if (!isClosed(extent, before)) continue;
      // Without anything that is needed settle() frees it.
      const isNeeded = extent.tombstoneBytes > 0 && oldest < extent.lastGeneration;
      if (extent.liveBytes === 0 && !isNeeded) continue;
      if (this.livingBytes(index) > mostLiveBytes) continue;
      found.push(index);
    }
    return found.sort((a, b) => this.livingBytes(a) - this.livingBytes(b));
  }

  /** The extent that has kept tombstones from their end for longest, if the cleaner may empty it: see sparseExtents. */
  keeperOfTombstones(before: number): number | undefined {
    let keeper: number | undefined;
    for (const [index, extent] of this.extents.entries()) {
      if (!holdsPast(extent) || !isClosed(extent, before)) continue;
      const oldest = keeper === undefined ? Infinity : this.extents[keeper].firstGeneration;
      if (extent.firstGeneration < oldest) keeper = index;
    }
    return keeper;
  }

  get tombstoneBytesInAll(): number {
    let bytes = 0;
    for (const { state, tombstoneBytes } of this.extents) {
      if (state === EXTENT_STATE.used) bytes += tombstoneBytes;
    }
    return bytes;
  }

  /**
   * The generation from which on something that died may stand in an extent that a repair takes documents from. It takes none
   * where nothing lives; and where everything lives nothing died. Tombstones of later generations are needed.
   */
  get oldestPastGeneration(): number {
    let oldest = Infinity;
    for (const extent of this.extents) {
      if (holdsPast(extent)) oldest = Math.min(oldest, extent.firstGeneration);
    }
    return oldest;
  }

  /**
   * The next free extents to give back to the disk. Some of the lowest stay: they are handed out first, and to write into
   * a hole costs the file system more than to write over what is there.
   * @param keep free extents that are not to be discarded
   * @returns the run, held until endDiscard()
   */
  beginDiscard(keep: number): ExtentRun | undefined {
    let kept = 0;
    for (let index = 0; index < this.extents.length; index += 1) {
      if (!this.isFree(index) || this.extents[index].discard === 'done') continue;
      kept += 1;
      if (kept <= keep) continue;
      let count = 0;
      while (this.isFree(index + count) && this.extents[index + count].discard === 'not yet') {
        this.extents[index + count].discard = 'under way';
        count += 1;
      }
      return { first: index, count };
    }
    return undefined;
  }

  endDiscard({ first, count }: ExtentRun): void {
    for (let index = first; index < first + count; index += 1) {
      const extent = this.extents[index];
      invariant(extent.discard === 'under way', 'allocation 5: not being discarded');
      extent.discard = 'done';
    }
    this.lowestFree = Math.min(this.lowestFree, first);
  }

  get counts(): ExtentCounts {
    const counts = { total: this.extents.length, free: 0, used: 0, pendingFree: 0, damaged: 0 };
    for (const extent of this.extents) {
      if (extent.damaged) counts.damaged += 1;
      if (extent.state === EXTENT_STATE.free) counts.free += 1;
      else if (extent.state === EXTENT_STATE.pendingFree) counts.pendingFree += 1;
      else counts.used += 1;
    }
    return counts;
  }

  /** Extents in use, without those that the last checkpoint has freed. */
  get usedExtents(): number {
    let used = 0;
    for (const { state } of this.extents) if (state === EXTENT_STATE.used) used += 1;
    return used;
  }

  /** What is still needed of all extents in use, bytes on the disk. */
  get livingBytesInAll(): number {
    let bytes = 0;
    for (const extent of this.extents) {
      if (extent.state === EXTENT_STATE.used) bytes += livingBytes(extent, this.layout.sectorBytes);
    }
    return bytes;
  }

  /** What only dead records hold in the extents that one collection fills alone, bytes on the disk. */
  deadBytesOf(owner: number): number {
    const { sectorBytes } = this.layout;
    let bytes = 0;
    for (const extent of this.extents) {
      if (extent.state !== EXTENT_STATE.used || extent.owner !== owner) continue;
      bytes += extent.filledSectors * sectorBytes - livingBytes(extent, sectorBytes);
    }
    return bytes;
  }

  /** The entry, to be changed. */
  private edit(index: number): Extent {
    const extent = this.extents[index];
    if (this.undo !== undefined && !this.undo.has(index)) this.undo.set(index, { ...extent });
    return extent;
  }

  private fill(index: number, sectors: number, generation: number): void {
    const extent = this.edit(index);
    invariant(extent.state === EXTENT_STATE.used, 'allocation 1: filling an extent not in use');
    extent.filledSectors += sectors;
    invariant(extent.filledSectors <= this.layout.extentSectors, 'allocation 4: overfilled');
    extent.lastGeneration = generation;
    if (extent.firstGeneration === 0) extent.firstGeneration = generation;
  }

  /** Gives an owner room for `sectorCount` neighbouring sectors. */
  private openMore(owner: number, sectorCount: number): void {
    const open = this.openExtents.get(owner);
    const missing = sectorCount - this.roomOf(owner);
    const further = Math.ceil(missing / this.layout.extentSectors);
    if (open !== undefined && this.areFree(open + 1, further) && this.mayGoOn(sectorCount)) {
      for (let step = 1; step <= further; step += 1) this.take(open + step, owner);
      return;
    }
    const count = Math.ceil(sectorCount / this.layout.extentSectors);
    const first = this.findFreeRun(count);
    for (let step = 0; step < count; step += 1) this.take(first + step, owner);
    this.close(owner);
    this.setOpen(owner, first);
  }

  /** Only what is larger than a shared page may lie across two extents: reading relies on it. */
  private mayGoOn(sectorCount: number): boolean {
    return sectorCount > this.layout.pageSectors;
  }

  private take(index: number, owner: number): void {
    while (this.extents.length <= index) this.extents.push(freeExtent());
    const extent = this.edit(index);
    invariant(extent.state === EXTENT_STATE.free, 'allocation 1: extent handed out twice');
    invariant(extent.discard !== 'under way', 'allocation 5: extent handed out in its discard');
    extent.state = EXTENT_STATE.used;
    extent.discard = 'not yet';
    extent.owner = owner;
  }

  /** Lowest run of free extents; past the end when there is none: the file grows. */
  private findFreeRun(count: number): number {
    let length = 0;
    let first = this.lowestFree;
    let seenFree = false;
    for (let index = this.lowestFree; index < this.extents.length; index += 1) {
      if (!this.isFree(index)) {
        length = 0;
        first = index + 1;
        if (!seenFree) this.lowestFree = index + 1;
        continue;
      }
      seenFree = true;
      length += 1;
      if (length === count) return first;
    }
    return first;
  }

  /** Whether extents may be handed out; what lies behind the last one may. */
  private areFree(first: number, count: number): boolean {
    for (let index = first; index < Math.min(first + count, this.extents.length); index += 1) {
      if (!this.isFree(index)) return false;
    }
    return true;
  }

  private isFree(index: number): boolean {
    const extent = this.extents[index];
    if (extent === undefined || extent.state !== EXTENT_STATE.free) return false;
    return !extent.damaged && extent.discard !== 'under way';
  }

  private setOpen(owner: number, index: number): void {
    const before = this.openExtents.get(owner);
    if (before !== undefined) this.edit(before).open = false;
    this.edit(index).open = true;
    this.openExtents.set(owner, index);
  }

  private close(owner: number): void {
    const open = this.openExtents.get(owner);
    if (open === undefined) return;
    this.edit(open).open = false;
    this.openExtents.delete(owner);
  }

  private findOpenExtents(): void {
    this.lowestFree = 0;
    this.openExtents = new Map();
    for (const [index, extent] of this.extents.entries()) {
      // What could not be written or read back once is not tried again.
      if (extent.open && !extent.damaged) this.openExtents.set(extent.owner, index);
    }
  }
}

/** Whether the cleaner may look at it: it is whole, and its pages are on the device. */
function isClosed(extent: Extent, before: number): boolean {
  if (extent.state !== EXTENT_STATE.used || extent.open || extent.damaged) return false;
  return extent.owner !== MANIFEST_OWNER && extent.lastGeneration < before;
}

/**
 * Whether a repair might find something there that died: it looks where something lives, and in an open extent something may come
 * to live. Nobody looks for documents among manifests.
 */
function holdsPast(extent: Extent): boolean {
  const { state, owner, open, liveBytes, tombstoneBytes, writtenBytes } = extent;
  if (state !== EXTENT_STATE.used || owner === MANIFEST_OWNER) return false;
  if (liveBytes === 0 && !open) return false;
  return liveBytes + tombstoneBytes !== writtenBytes;
}

function livingBytes(extent: Extent, sectorBytes: number): number {
  if (extent.writtenBytes === 0) return 0;
  const part = (extent.liveBytes + extent.tombstoneBytes) / extent.writtenBytes;
  // More than was ever written: after a repair, old versions may have come back.
  return Math.ceil(Math.min(1, part) * extent.filledSectors * sectorBytes);
}

function freeExtent(): Extent {
  return {
    state: EXTENT_STATE.free,
    damaged: false,
    open: false,
    filledSectors: 0,
    liveBytes: 0,
    writtenBytes: 0,
    tombstoneBytes: 0,
    freedBy: 0,
    firstGeneration: 0,
    lastGeneration: 0,
    owner: SHARED_OWNER,
    leadingSectors: 0,
    discard: 'not yet',
  };
}
