/**
 * The block store: documents on a device, in pages, in extents, copy on write.
 *
 * Owns: its device, and nothing else writes to it. Invariants:
 *  1. What the current base, a pinned base or the base before the current one names is never overwritten.
 *  2. Generations never repeat, not after a crashed checkpoint either: the superblock sets them aside before their use.
 *  3. One checkpoint at a time.
 * What fails here with a CorruptionError is named and never returned as data.
 * Bytes: docs/format/superblock.md, page.md, manifest.md. Tests: test/storage/blocks/.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import { PageCache } from '../cache/page-cache.ts';
import type { CommitNumber, Ident, MaybePromise, RecordId } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber } from '../device/bio.ts';
import type { Device, Volume } from '../device/contract.ts';
import type { ElevatorName } from '../device/elevators/elevators.ts';
import { RequestQueue } from '../device/request-queue.ts';
import type { Base } from '../format/base.ts';
import { decodeManifest, type Manifest } from '../format/manifest.ts';
import { verifyPage } from '../format/page.ts';
import type { Superblock } from '../format/superblock.ts';
import { AllocationMap } from './allocation-map.ts';
import { CheckpointCollector } from './checkpoint-writer.ts';
import { CollectionTable } from './collection-table.ts';
import type {
  BlockStore,
  BlockStoreStatistics,
  CheckpointRecords,
  CheckpointWriter,
  CleaningSummary,
  CollectionSpace,
  DocumentLocation,
} from './contract.ts';
import { StoreLayout } from './layout.ts';
import { PageReader } from './page-reader.ts';
import type { Place } from './place.ts';
import { inlinePress, PressThread, type PagePress } from './press-thread.ts';
import {
  GENERATIONS_RESERVED,
  readSuperblocks,
  verifySuperblock,
  writeSuperblock,
  type SuperblockReading,
} from './superblock-pair.ts';
import { Trimmer } from './trimmer.ts';

const DEFAULT_EXTENT_BYTES = 1024 * 1024;
const DEFAULT_PAGE_BYTES = 32 * 1024;
/** The file grows by an eighth of its size, within these bounds. */
const LEAST_GROWTH_BYTES = 4 * 1024 * 1024;
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

export interface BlockStoreOptions {
  readonly volume: Volume;
  /** Name of its device; default blocks.flint. */
  readonly name?: string;
  readonly clock: Clock;
  /** Bound of the page cache, bytes. */
  readonly cacheBytes: number;
  /** Read every page back after a checkpoint's flush, past the cache; default false. */
  readonly verifyWrites?: boolean;
  /** Order of requests on the device; default noop. */
  readonly elevator?: ElevatorName;
  /** Pages of large checkpoints are made on a thread of their own; default false: a simulation replays from its seed. */
  readonly usesThreads?: boolean;
}

export interface CreateBlockStoreOptions extends BlockStoreOptions {
  readonly random: Random;
  /** 32 hexadecimal digits; default: drawn. */
  readonly storeId?: string;
  /** Default 1 MiB; a multiple of the sector size. */
  readonly extentBytes?: number;
  /** Largest page that records share, uncompressed; default 32 KiB, at least one sector. */
  readonly pageBytes?: number;
}

export const DEFAULT_BLOCK_STORE_NAME = 'blocks.flint';

/** The base of a store without a checkpoint. */
export const EMPTY_BASE: Base = {
  checkpoint: 0,
  commitNumber: 0 as CommitNumber,
  manifestAddress: 0,
  manifestGeneration: 0,
  manifestSectors: 0,
};

/**
 * Makes a new store. A device that exists already is taken over only when it is blank.
 * @throws CorruptionError foreign when a store stands there; DeviceError
 */
export async function createBlockStore(options: CreateBlockStoreOptions): Promise<BlockStore> {
  const { volume, random } = options;
  const { sectorBytes } = volume;
  const layout = new StoreLayout({
    sectorBytes,
    extentSectors: (options.extentBytes ?? DEFAULT_EXTENT_BYTES) / sectorBytes,
    pageSectors: Math.ceil((options.pageBytes ?? DEFAULT_PAGE_BYTES) / sectorBytes),
  });
  const sectorCount = layout.firstSectorOf(layout.reservedExtents);
  const device = await volume.open(nameOf(options), { create: true, sectorCount });
  const queue = queueOf(device, options);
  try {
    await device.grow(sectorCount);
    await refuseExistingStore(queue);
    const superblock: Superblock = {
      storeId: options.storeId ?? random.bytes(16).toString('hex'),
      sectorBytes,
      extentSectors: layout.extentSectors,
      pageSectors: layout.pageSectors,
      sequence: 1,
      ...superblockFieldsOf(EMPTY_BASE),
      generationLimit: 1,
    };
    await writeSuperblock(queue, superblock);
    await writeSuperblock(queue, { ...superblock, sequence: 2 });
    const state = { superblock: { ...superblock, sequence: 2 }, damage: undefined };
    return new DeviceBlockStore(options, queue, state, EMPTY_BASE, undefined);
  } catch (error) {
    await device.close();
    throw error;
  }
}

function queueOf(device: Device, { clock, elevator }: BlockStoreOptions): RequestQueue {
  return new RequestQueue(device, { clock, ...(elevator === undefined ? {} : { elevator }) });
}

/**
 * Opens a store at a base.
 * @param base what the index store keeps of its last commit; absent: what the superblock recorded last
 * @throws CorruptionError kinds missing (blank), older (store or index store lags behind the other), and those of
 * superblock and manifest; CommandError UnsupportedFormat; DeviceError ENOENT when there is no such device
 */
export async function openBlockStore(options: BlockStoreOptions, base?: Base): Promise<BlockStore> {
  let device = await options.volume.open(nameOf(options));
  try {
    let queue = queueOf(device, options);
    const reading = await readSuperblocks(queue);
    const { superblock } = reading;
    if (superblock.sectorBytes !== device.sectorBytes) {
      // Made on a disk with other sectors: go on in the store's.
      await device.close();
      const { sectorBytes } = superblock;
      device = await options.volume.open(nameOf(options), { sectorBytes });
      queue = queueOf(device, options);
    }
    const chosen = base ?? baseOf(superblock);
    checkAgreement(reading, chosen);
    const manifest =
      chosen.manifestSectors === 0 ? undefined : await readManifest(queue, superblock, chosen);
    return new DeviceBlockStore(options, queue, reading, chosen, manifest);
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** A state of a block store that was read, and perhaps corrected, before it is opened. */
export interface KnownState {
  readonly reading: SuperblockReading;
  readonly base: Base;
  readonly manifest: Manifest | undefined;
}

/** For repair: opens a store at a state that was found already. Nothing is read and compared again. */
export async function openBlockStoreAt(
  options: BlockStoreOptions,
  { reading, base, manifest }: KnownState,
): Promise<BlockStore> {
  const { sectorBytes } = reading.superblock;
  const device = await options.volume.open(nameOf(options), { sectorBytes });
  return new DeviceBlockStore(options, queueOf(device, options), reading, base, manifest);
}

class DeviceBlockStore implements BlockStore {
  readonly storeId: string;
  readonly superblockDamage: CorruptionError | undefined;
  private readonly device: Device;
  private readonly queue: RequestQueue;
  private readonly layout: StoreLayout;
  private readonly allocation: AllocationMap;
  private readonly cache: PageCache;
  private readonly reader: PageReader;
  private readonly trimmer: Trimmer;
  private readonly press: PagePress;
  private readonly verifyWrites: boolean;
  private collections: CollectionTable;
  superblock: Superblock;
  private currentBase: Base;
  private nextGeneration: number;
  private copiesToRepair: number;
  private writer: CheckpointCollector | undefined;
  private growing: Promise<void> = Promise.resolve();
  private pagesWritten = 0;
  private bytesWritten = 0;
  private cleaned: CleaningSummary = { extents: 0, movedRecords: 0, movedBytes: 0 };

  constructor(
    options: BlockStoreOptions,
    queue: RequestQueue,
    reading: SuperblockReading,
    base: Base,
    manifest: Manifest | undefined,
  ) {
    const { superblock } = reading;
    this.queue = queue;
    this.device = queue.device;
    this.superblock = superblock;
    this.superblockDamage = reading.damage;
    this.storeId = superblock.storeId;
    this.currentBase = base;
    this.layout = new StoreLayout(superblock);
    this.allocation = new AllocationMap(this.layout, manifest?.extents);
    this.collections = new CollectionTable(manifest?.collections);
    // Nothing was written from here on, also when the newer copy of the superblock is lost (superblock-pair 2).
    this.nextGeneration =
      superblock.generationLimit + (reading.damage === undefined ? 0 : 2 * GENERATIONS_RESERVED);
    this.copiesToRepair = reading.damage === undefined ? 0 : 1;
    this.verifyWrites = options.verifyWrites ?? false;
    this.press = options.usesThreads === true ? new PressThread() : inlinePress;
    this.cache = new PageCache(options.cacheBytes);
    this.reader = new PageReader({
      queue,
      layout: this.layout,
      cache: this.cache,
      storeId: this.storeId,
      clock: options.clock,
      onDamage: (sector) => this.markDamaged(sector),
    });
    this.trimmer = new Trimmer(queue, this.layout, this.allocation);
    // At start nobody holds an older base: what the checkpoint before freed is free.
    this.allocation.free(this.allocation.reclaimable(base.checkpoint, base.checkpoint));
  }

  get base(): Base {
    return this.currentBase;
  }

  collectionSpace(collection: Ident): CollectionSpace | undefined {
    return this.collections.get(collection);
  }

  deadBytes(collection: Ident): number {
    return this.allocation.deadBytesOf(collection);
  }

  collectionSpaces(): CollectionSpace[] {
    return this.collections.stored;
  }

  get pagesRead(): number {
    return this.reader.pagesRead;
  }

  record(place: Place, recordId: RecordId): MaybePromise<Buffer> {
    return this.reader.record(place, recordId);
  }

  locate(place: Place, recordId: RecordId, location: DocumentLocation): MaybePromise<void> {
    return this.reader.locate(place, recordId, location);
  }

  prefetch(places: Iterable<Place>): MaybePromise<void> {
    return this.reader.prefetch(places);
  }

  verify(place: Place): Promise<number> {
    return this.reader.verify(place);
  }

  async beginCheckpoint(
    commitNumber: CommitNumber,
    records: CheckpointRecords,
  ): Promise<CheckpointWriter> {
    invariant(this.writer === undefined, 'block-store 3: a checkpoint is under way');
    invariant(
      commitNumber >= this.currentBase.commitNumber,
      'block-store: checkpoint before the current one',
    );
    const generation = this.nextGeneration;
    this.nextGeneration += 1;
    const writer = new CheckpointCollector(
      {
        queue: this.queue,
        layout: this.layout,
        allocation: this.allocation,
        collections: this.collections.copy(),
        cache: this.cache,
        press: this.press,
        storeId: this.storeId,
        before: this.currentBase,
        makeRoom: (sectorEnd) => this.makeRoom(sectorEnd),
        readSectors: (first, count) => this.readSectors(first, count),
        onDamage: (sector) => this.markDamaged(sector),
        ...(this.verifyWrites ? { verify: (place) => this.reader.verify(place) } : {}),
        onAbort: () => {
          this.writer = undefined;
        },
      },
      records,
      commitNumber,
      generation,
    );
    this.writer = writer;
    try {
      await this.setGenerationsAside(generation);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return writer;
  }

  async recordBase(): Promise<void> {
    for (let copy = 0; copy < 2; copy += 1) await this.writeNextSuperblock(this.currentBase);
    this.copiesToRepair = 0;
  }

  async recordCheckpoint(base: Base): Promise<void> {
    const { writer } = this;
    invariant(writer !== undefined, 'block-store: no checkpoint to record');
    invariant(base.checkpoint === writer.checkpoint, 'block-store: another checkpoint');
    await this.writeNextSuperblock(base);
    writer.keep();
    this.collections = writer.collections;
    this.pagesWritten += writer.pagesWritten;
    this.bytesWritten += writer.bytesWritten;
    this.cleaned = {
      extents: this.cleaned.extents + writer.cleaned.extents,
      movedRecords: this.cleaned.movedRecords + writer.cleaned.movedRecords,
      movedBytes: this.cleaned.movedBytes + writer.cleaned.movedBytes,
    };
    this.currentBase = base;
    this.writer = undefined;
  }

  reclaim(oldestPinned: number): void {
    this.allocation.free(this.allocation.reclaimable(this.currentBase.checkpoint, oldestPinned));
    this.trimmer.start();
  }

  giveBack(): Promise<void> {
    return this.trimmer.giveBackAll();
  }

  statistics(): BlockStoreStatistics {
    const { extentBytes } = this.layout;
    const extents = this.allocation.counts;
    return {
      extentBytes,
      extents,
      liveBytes: this.allocation.livingBytesInAll,
      usedBytes: (extents.used + extents.pendingFree) * extentBytes,
      fileBytes: this.device.sectorCount * this.device.sectorBytes,
      pagesWritten: this.pagesWritten,
      bytesWritten: this.bytesWritten,
      ...this.reader.statistics,
      cleaned: this.cleaned,
      cache: this.cache.statistics,
      queue: this.queue.statistics,
    };
  }

  async close(): Promise<void> {
    await this.writer?.abort();
    await this.press.close();
    await this.trimmer.stop();
    await this.queue.idle();
    await this.device.close();
  }

  /** Invariant 2: no page of a generation is written before a superblock says that it may exist. */
  private async setGenerationsAside(generation: number): Promise<void> {
    if (generation < this.superblock.generationLimit) return;
    // With the base in it: when the index store commits the next one, the superblock must not lag by two.
    await this.writeNextSuperblock(this.currentBase);
    // The damaged copy is written by now; the other one must follow, or its limit would lag too far behind.
    for (; this.copiesToRepair > 0; this.copiesToRepair -= 1) {
      await this.writeNextSuperblock(this.currentBase);
    }
  }

  private async writeNextSuperblock(base: Base): Promise<void> {
    const next: Superblock = {
      ...this.superblock,
      ...superblockFieldsOf(base),
      sequence: this.superblock.sequence + 1,
      generationLimit: this.nextGeneration + GENERATIONS_RESERVED,
    };
    await writeSuperblock(this.queue, next);
    if (this.verifyWrites) await verifySuperblock(this.queue, next);
    this.superblock = next;
  }

  private markDamaged(sector: number): void {
    this.allocation.markDamaged(this.layout.extentOf(sector));
  }

  async readSectors(firstSector: number, sectorCount: number): Promise<Buffer> {
    const buffer = allocateAligned(sectorCount * this.device.sectorBytes);
    try {
      await this.queue.submit(readBio(this.device, sectorNumber(firstSector), [buffer]));
      return Buffer.from(buffer);
    } finally {
      releaseAligned(buffer);
    }
  }

  /** Grows the file so that it reaches `sectorEnd`. */
  private makeRoom(sectorEnd: number): Promise<void> {
    if (sectorEnd <= this.device.sectorCount) return Promise.resolve();
    const growing = this.growing.then(() => this.growTo(sectorEnd));
    this.growing = growing.catch(() => {});
    return growing;
  }

  private async growTo(sectorEnd: number): Promise<void> {
    const { sectorBytes, sectorCount } = this.device;
    if (sectorEnd <= sectorCount) return;
    const { layout } = this;
    const eighth = (sectorCount * sectorBytes) / 8;
    const step = Math.min(MOST_GROWTH_BYTES, Math.max(LEAST_GROWTH_BYTES, eighth));
    const needed = layout.firstSectorOf(layout.extentOf(sectorEnd - 1) + 1);
    const wanted = layout.firstSectorOf(layout.extentOf(needed + step / sectorBytes));
    try {
      await this.device.grow(Math.max(needed, wanted));
    } catch {
      // Not enough for a whole step: what is needed may still fit.
      await this.device.grow(needed);
    }
  }
}

function nameOf(options: BlockStoreOptions): string {
  return options.name ?? DEFAULT_BLOCK_STORE_NAME;
}

/** The base that a superblock recorded. */
export function baseOf(superblock: Superblock): Base {
  const { checkpoint, manifestAddress, manifestGeneration, manifestSectors } = superblock;
  const commitNumber = superblock.commitNumber as CommitNumber;
  return { checkpoint, commitNumber, manifestAddress, manifestGeneration, manifestSectors };
}

function superblockFieldsOf(base: Base): Base {
  const { checkpoint, commitNumber, manifestAddress, manifestGeneration, manifestSectors } = base;
  return { checkpoint, commitNumber, manifestAddress, manifestGeneration, manifestSectors };
}

async function refuseExistingStore(queue: RequestQueue): Promise<void> {
  try {
    await readSuperblocks(queue);
  } catch (error) {
    if (error instanceof CorruptionError && error.kind === 'missing') return;
    throw error;
  }
  throw new CorruptionError('foreign', 'superblock', 'a block store stands there already');
}

/**
 * Compares what superblock and index store say of the last checkpoint. The superblock is written after the index store's
 * commit, so it may be one checkpoint behind, and one more when its newer copy is damaged.
 */
function checkAgreement({ superblock, damage }: SuperblockReading, base: Base): void {
  if (base.checkpoint < superblock.checkpoint) {
    throw new CorruptionError(
      'older',
      'index store',
      `it is at checkpoint ${base.checkpoint}, the block store at ${superblock.checkpoint}`,
    );
  }
  const tolerated = damage === undefined ? 1 : 2;
  if (base.checkpoint > superblock.checkpoint + tolerated) {
    throw new CorruptionError(
      'older',
      'block store',
      `it is at checkpoint ${superblock.checkpoint}, the index store at ${base.checkpoint}`,
    );
  }
}

/** @throws CorruptionError */
export async function readManifest(
  queue: RequestQueue,
  superblock: Pick<Superblock, 'storeId'>,
  base: Base,
): Promise<Manifest> {
  const { device } = queue;
  if (base.manifestAddress + base.manifestSectors > device.sectorCount) {
    throw new CorruptionError('older', 'block store', 'the file ends before the manifest');
  }
  const buffer = allocateAligned(base.manifestSectors * device.sectorBytes);
  try {
    await queue.submit(readBio(device, sectorNumber(base.manifestAddress), [buffer]));
    const { header } = verifyPage(buffer, device.sectorBytes, {
      address: base.manifestAddress,
      generation: base.manifestGeneration,
      storeId: superblock.storeId,
    });
    const manifest = decodeManifest(buffer, header);
    if (manifest.checkpoint !== base.checkpoint) {
      throw new CorruptionError('malformed', 'manifest', 'it belongs to another checkpoint');
    }
    return manifest;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const file = device.name;
    const offset = base.manifestAddress * device.sectorBytes;
    const message = `the manifest of checkpoint ${base.checkpoint}: ${file}, offset ${offset}: ${error.detail}`;
    throw new CorruptionError(error.kind, error.part, message, { cause: error, file, offset });
  } finally {
    releaseAligned(buffer);
  }
}
