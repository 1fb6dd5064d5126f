/**
 * The manifest: what a checkpoint leaves behind of the block store's own state. A page of its own kind.
 *
 * Bytes: docs/format/manifest.md.
 */
import { invariant } from '../../common/assert.ts';
import { CorruptionError } from '../../common/errors.ts';
import { readU48, readU64, writeU48, writeU64 } from './integers.ts';
import { claimedPageBytes, PAGE_HEADER, PAGE_KIND, sealPage, type PageHeader } from './page.ts';

/** Behind the page header. docs/format/manifest.md#head */
export const MANIFEST_HEAD = {
  checkpoint: 0, // u64
  collectionCount: 8, // u32
  extentCount: 12, // u32
  extentSectors: 16, // u32  of the store, as in the superblock: it can be made again from this
  pageSectors: 20, // u32
  size: 24,
} as const;

/** One collection, 32 bytes. docs/format/manifest.md#collections */
export const MANIFEST_COLLECTION = {
  ident: 0, // u64
  recordIdHighWater: 8, // u64
  liveBytes: 16, // u64  documents
  storedBytes: 24, // u64  what they occupy in their pages
  size: 32,
} as const;

/** One extent, 40 bytes; the n-th entry is extent n. docs/format/manifest.md#extents */
export const MANIFEST_EXTENT = {
  state: 0, // u8  EXTENT_STATE
  flags: 1, // u8  bit 0 damaged, bit 1 open
  filledSectors: 2, // u16
  liveBytes: 4, // u32
  tombstoneBytes: 8, // u32
  freedBy: 12, // u32  checkpoint
  firstGeneration: 16, // u32  generation of its first page since it was free
  lastGeneration: 20, // u32
  owner: 24, // u48  collection that alone fills it; 0: several do
  leadingSectors: 30, // u16  end of a page that began in the extent before
  writtenBytes: 32, // u32  what liveBytes and tombstoneBytes began with
  reserved: 36, // u32
  size: 40,
} as const;

/** Numbers are permanent. */
export const EXTENT_STATE = { free: 0, used: 1, pendingFree: 2, reserved: 3 } as const;
export type ExtentState = (typeof EXTENT_STATE)[keyof typeof EXTENT_STATE];

/** What filledSectors can say. */
const MOST_EXTENT_SECTORS = 65_535;

const FLAG_DAMAGED = 1;
const FLAG_OPEN = 2;

export interface ManifestCollection {
  readonly ident: number;
  readonly recordIdHighWater: number;
  readonly liveBytes: number;
  readonly storedBytes: number;
}

export interface ManifestExtent {
  readonly state: ExtentState;
  readonly damaged: boolean;
  /** Its rest is still to be filled. */
  readonly open: boolean;
  readonly filledSectors: number;
  /** Uncompressed: what lives in it, and all that ever did since it was free. */
  readonly liveBytes: number;
  readonly writtenBytes: number;
  readonly tombstoneBytes: number;
  readonly freedBy: number;
  readonly firstGeneration: number;
  readonly lastGeneration: number;
  readonly owner: number;
  readonly leadingSectors: number;
}

export interface Manifest {
  readonly checkpoint: number;
  readonly extentSectors: number;
  readonly pageSectors: number;
  readonly collections: readonly ManifestCollection[];
  readonly extents: readonly ManifestExtent[];
}

/** Bytes of a manifest, page header included. */
export function manifestBytes(collectionCount: number, extentCount: number): number {
  return (
    PAGE_HEADER.size +
    MANIFEST_HEAD.size +
    collectionCount * MANIFEST_COLLECTION.size +
    extentCount * MANIFEST_EXTENT.size
  );
}

/**
 * Whether a page claims the length that its own counts call for: asked before memory is taken for all of it. Nothing else is checked.
 * @param beginning the page's first sector, or more
 */
export function claimsManifestLength(beginning: Buffer): boolean {
  const head = PAGE_HEADER.size;
  const collectionCount = beginning.readUInt32LE(head + MANIFEST_HEAD.collectionCount);
  const extentCount = beginning.readUInt32LE(head + MANIFEST_HEAD.extentCount);
  return manifestBytes(collectionCount, extentCount) === claimedPageBytes(beginning);
}

/** Fills `target`, whole sectors, with the manifest's page. */
export function encodeManifest(
  header: Pick<PageHeader, 'address' | 'generation' | 'commitNumber' | 'storeId'>,
  manifest: Manifest,
  target: Buffer,
): void {
  const { collections, extents } = manifest;
  const usedBytes = manifestBytes(collections.length, extents.length);
  invariant(usedBytes <= target.length, 'manifest: exceeds its page');
  const head = PAGE_HEADER.size;
  writeU64(target, manifest.checkpoint, head + MANIFEST_HEAD.checkpoint);
  target.writeUInt32LE(collections.length, head + MANIFEST_HEAD.collectionCount);
  target.writeUInt32LE(extents.length, head + MANIFEST_HEAD.extentCount);
  target.writeUInt32LE(manifest.extentSectors, head + MANIFEST_HEAD.extentSectors);
  target.writeUInt32LE(manifest.pageSectors, head + MANIFEST_HEAD.pageSectors);
  let at = head + MANIFEST_HEAD.size;
  for (const collection of collections) {
    writeU64(target, collection.ident, at + MANIFEST_COLLECTION.ident);
    writeU64(target, collection.recordIdHighWater, at + MANIFEST_COLLECTION.recordIdHighWater);
    writeU64(target, collection.liveBytes, at + MANIFEST_COLLECTION.liveBytes);
    writeU64(target, collection.storedBytes, at + MANIFEST_COLLECTION.storedBytes);
    at += MANIFEST_COLLECTION.size;
  }
  for (const extent of extents) {
    encodeExtent(extent, target, at);
    at += MANIFEST_EXTENT.size;
  }
  target.fill(0, usedBytes);
  sealPage(
    {
      ...header,
      collection: 0,
      usedBytes,
      plainBytes: usedBytes,
      recordCount: 0,
      kind: PAGE_KIND.manifest,
      compression: 'none',
    },
    target,
  );
}

/** Reads a manifest out of a page that verifyPage has checked. @throws CorruptionError malformed */
export function decodeManifest(page: Buffer, header: PageHeader): Manifest {
  const head = PAGE_HEADER.size;
  if (header.kind !== PAGE_KIND.manifest) throw malformed('the page is not a manifest');
  if (header.compression !== 'none') throw malformed('it is compressed');
  if (header.usedBytes < head + MANIFEST_HEAD.size) throw malformed('it is too short');
  const checkpoint = readU64(page, head + MANIFEST_HEAD.checkpoint);
  const extentSectors = page.readUInt32LE(head + MANIFEST_HEAD.extentSectors);
  const pageSectors = page.readUInt32LE(head + MANIFEST_HEAD.pageSectors);
  if (pageSectors < 1 || extentSectors < pageSectors || extentSectors > MOST_EXTENT_SECTORS) {
    throw malformed(`extents of ${extentSectors} sectors, pages of ${pageSectors}`);
  }
  const collectionCount = page.readUInt32LE(head + MANIFEST_HEAD.collectionCount);
  const extentCount = page.readUInt32LE(head + MANIFEST_HEAD.extentCount);
  if (manifestBytes(collectionCount, extentCount) !== header.usedBytes) {
    throw malformed('its length does not fit its counts');
  }
  let at = head + MANIFEST_HEAD.size;
  const collections: ManifestCollection[] = [];
  for (let index = 0; index < collectionCount; index += 1) {
    collections.push({
      ident: readU64(page, at + MANIFEST_COLLECTION.ident),
      recordIdHighWater: readU64(page, at + MANIFEST_COLLECTION.recordIdHighWater),
      liveBytes: readU64(page, at + MANIFEST_COLLECTION.liveBytes),
      storedBytes: readU64(page, at + MANIFEST_COLLECTION.storedBytes),
    });
    at += MANIFEST_COLLECTION.size;
  }
  const extents: ManifestExtent[] = [];
  for (let index = 0; index < extentCount; index += 1) {
    extents.push(decodeExtent(page, at));
    at += MANIFEST_EXTENT.size;
  }
  return {
    checkpoint,
    extentSectors,
    pageSectors,
    collections,
    extents,
  };
}

function encodeExtent(extent: ManifestExtent, target: Buffer, at: number): void {
  target[at + MANIFEST_EXTENT.state] = extent.state;
  target[at + MANIFEST_EXTENT.flags] =
    (extent.damaged ? FLAG_DAMAGED : 0) | (extent.open ? FLAG_OPEN : 0);
  target.writeUInt16LE(extent.filledSectors, at + MANIFEST_EXTENT.filledSectors);
  target.writeUInt32LE(extent.liveBytes, at + MANIFEST_EXTENT.liveBytes);
  target.writeUInt32LE(extent.tombstoneBytes, at + MANIFEST_EXTENT.tombstoneBytes);
  target.writeUInt32LE(extent.freedBy, at + MANIFEST_EXTENT.freedBy);
  target.writeUInt32LE(extent.firstGeneration, at + MANIFEST_EXTENT.firstGeneration);
  target.writeUInt32LE(extent.lastGeneration, at + MANIFEST_EXTENT.lastGeneration);
  writeU48(target, extent.owner, at + MANIFEST_EXTENT.owner);
  target.writeUInt16LE(extent.leadingSectors, at + MANIFEST_EXTENT.leadingSectors);
  target.writeUInt32LE(extent.writtenBytes, at + MANIFEST_EXTENT.writtenBytes);
  target.writeUInt32LE(0, at + MANIFEST_EXTENT.reserved);
}

function decodeExtent(page: Buffer, at: number): ManifestExtent {
  const flags = page[at + MANIFEST_EXTENT.flags];
  return {
    state: extentStateOf(page[at + MANIFEST_EXTENT.state]),
    damaged: (flags & FLAG_DAMAGED) !== 0,
    open: (flags & FLAG_OPEN) !== 0,
    filledSectors: page.readUInt16LE(at + MANIFEST_EXTENT.filledSectors),
    liveBytes: page.readUInt32LE(at + MANIFEST_EXTENT.liveBytes),
    tombstoneBytes: page.readUInt32LE(at + MANIFEST_EXTENT.tombstoneBytes),
    freedBy: page.readUInt32LE(at + MANIFEST_EXTENT.freedBy),
    firstGeneration: page.readUInt32LE(at + MANIFEST_EXTENT.firstGeneration),
    lastGeneration: page.readUInt32LE(at + MANIFEST_EXTENT.lastGeneration),
    owner: readU48(page, at + MANIFEST_EXTENT.owner),
    leadingSectors: page.readUInt16LE(at + MANIFEST_EXTENT.leadingSectors),
    writtenBytes: page.readUInt32LE(at + MANIFEST_EXTENT.writtenBytes),
  };
}

function extentStateOf(number: number): ExtentState {
  switch (number) {
    case EXTENT_STATE.free:
    case EXTENT_STATE.used:
    case EXTENT_STATE.pendingFree:
    case EXTENT_STATE.reserved:
      return number;
    default:
      throw malformed(`unknown extent state ${number}`);
  }
}

function malformed(message: string): CorruptionError {
  return new CorruptionError('malformed', 'manifest', message);
}
