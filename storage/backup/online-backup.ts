/**
 * One base of a running store, held still while it is copied.
 *
 * Owns: a pin on the base until its entries are let go, and the hold on its extents until it is closed. Readers, writers and
 * checkpoints go on meanwhile.
 */
import { CommandError, CorruptionError } from '../../common/errors.ts';
import type { BlockStore } from '../blocks/contract.ts';
import { EMPTY_BASE } from '../blocks/block-store.ts';
import { decodeStoreRecord, STORE_RECORD_KEY } from '../catalog/catalog-record.ts';
import { encodeBase, type Base } from '../format/base.ts';
import { decodeManifest, EXTENT_STATE, type Manifest } from '../format/manifest.ts';
import { verifyPage } from '../format/page.ts';
import { STORE_IDENTITY_KEY } from '../format/store-identity.ts';
import { storeEntryBytes, writeStoreEntry } from '../format/store-entries.ts';
import type { Timestamp } from '../format/timestamp.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';
import type { BackupPoint, EntriesPiece, SectorRun, StoreBackup } from '../contract.ts';

export interface BackupSource {
  /** Pinned for the backup, which unpins it. */
  readonly base: BaseEpoch;
  readonly blocks: BlockStore;
  /** Of the base's commit number. */
  readonly timestamp: Timestamp;
  readonly entryBytes: number;
  readonly letExtentsGo: () => void;
}

/** @throws CorruptionError when the manifest cannot be read; what the source holds is the caller's then */
export async function openOnlineBackup(source: BackupSource): Promise<StoreBackup> {
  const { base, blocks, timestamp } = source;
  const stored = storedBaseOf(base);
  const { storeId, sectorBytes, extentSectors, pageSectors, generationLimit } = blocks.superblock;
  const runs = stored.manifestSectors === 0 ? [] : runsOf(await readManifest(blocks, stored));
  const point = {
    commitNumber: base.commitNumber,
    timestamp,
    storeId,
    sectorBytes,
    extentSectors,
    pageSectors,
    generationLimit,
    base: encodeBase(stored),
  };
  return new OnlineBackup(source, point, runs);
}

class OnlineBackup implements StoreBackup {
  readonly point: BackupPoint;
  readonly runs: readonly SectorRun[];
  readonly entryBytes: number;
  private readonly source: BackupSource;
  private holdsEntries = true;
  private isOpen = true;

  constructor(source: BackupSource, point: BackupPoint, runs: readonly SectorRun[]) {
    this.source = source;
    this.point = point;
    this.runs = runs;
    this.entryBytes = source.entryBytes;
  }

  entriesAfter(after: Buffer | undefined, mostBytes: number): EntriesPiece {
    if (!this.holdsEntries) {
      throw new CommandError('BadValue', 'the entries of this backup have been let go');
    }
    const range = after === undefined ? {} : { lower: after, lowerInclusive: false };
    const cursor = this.source.base.scan(range);
    const pieces: { readonly key: Buffer; readonly value: Buffer }[] = [];
    let bytes = 0;
    let isLast = true;
    while (cursor.next()) {
      // Whoever restores it stamps the store himself.
      if (cursor.key.equals(STORE_IDENTITY_KEY)) continue;
      const { key, value } = cursor;
      pieces.push({ key, value });
      bytes += storeEntryBytes(key, value);
      if (bytes < mostBytes) continue;
      isLast = false;
      break;
    }
    cursor.close();
    const packed = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const { key, value } of pieces) at = writeStoreEntry(packed, at, key, value);
    return { bytes: packed, count: pieces.length, last: pieces.at(-1)?.key, isLast };
  }

  releaseEntries(): void {
    if (!this.holdsEntries) return;
    this.holdsEntries = false;
    this.source.base.unpin();
  }

  async readSectors(run: SectorRun): Promise<Buffer> {
    const holder = this.runs.find(
      ({ first, count }) => first <= run.first && run.first + run.count <= first + count,
    );
    if (!this.isOpen || holder === undefined) {
      throw new CommandError('BadValue', 'these sectors are not in the backup');
    }
    return this.source.blocks.readSectors(run.first, run.count);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.releaseEntries();
    this.source.letExtentsGo();
  }
}

function storedBaseOf(base: BaseEpoch): Base {
  const record = base.get(STORE_RECORD_KEY);
  return record === undefined ? EMPTY_BASE : decodeStoreRecord(record).base;
}

async function readManifest(blocks: BlockStore, base: Base): Promise<Manifest> {
  const { storeId, sectorBytes } = blocks.superblock;
  const page = await blocks.readSectors(base.manifestAddress, base.manifestSectors);
  const { header } = verifyPage(page, sectorBytes, {
    address: base.manifestAddress,
    generation: base.manifestGeneration,
    storeId,
  });
  const manifest = decodeManifest(page, header);
  if (manifest.checkpoint === base.checkpoint) return manifest;
  throw new CorruptionError('malformed', 'manifest', 'it belongs to another checkpoint');
}

/** What pages fill: the rest of an extent that is still being filled belongs to later checkpoints. */
function runsOf({ extents, extentSectors }: Manifest): SectorRun[] {
  const runs: { first: number; count: number }[] = [];
  for (const [index, { state, filledSectors }] of extents.entries()) {
    if (state !== EXTENT_STATE.used || filledSectors === 0) continue;
    const first = index * extentSectors;
    const before = runs.at(-1);
    if (before !== undefined && before.first + before.count === first)
      before.count += filledSectors;
    else runs.push({ first, count: filledSectors });
  }
  return runs;
}
