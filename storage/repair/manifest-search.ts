/**
 * Searches a whole block store for manifests, when no superblock names one: the last resort before a backup.
 *
 * The newest manifest may be of a checkpoint that never came to its end, but what it lists was written before it, or shows as damage.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { StoreLayout } from '../blocks/layout.ts';
import { GENERATIONS_RESERVED } from '../blocks/superblock-pair.ts';
import type { CommitNumber } from '../contract.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import type { Base } from '../format/base.ts';
import { claimsManifestLength, decodeManifest, type Manifest } from '../format/manifest.ts';
import { claimedPageBytes, peekPage, PAGE_KIND, verifyPage } from '../format/page.ts';
import type { SuperblockReading } from '../blocks/superblock-pair.ts';
import type { OnProgress } from './contract.ts';

const CHUNK_BYTES = 1024 * 1024;

export interface SearchedStore {
  readonly layout: StoreLayout;
  readonly reading: SuperblockReading;
  readonly base: Base;
  readonly manifest: Manifest;
}

interface FoundManifest {
  readonly base: Base;
  readonly manifest: Manifest;
  readonly storeId: string;
}

/** @param known a superblock that can be read, although no manifest that it names can @returns the newest manifest that is whole */
export async function searchManifests(
  queue: RequestQueue,
  onProgress: OnProgress,
  known: SuperblockReading | undefined,
): Promise<SearchedStore | undefined> {
  const { device } = queue;
  const { sectorBytes, sectorCount } = device;
  let best: FoundManifest | undefined;
  let lastGeneration = 0;
  const step = CHUNK_BYTES / sectorBytes;
  for (let first = 0; first < sectorCount; first += step) {
    onProgress({ step: 'manifests', done: first, total: sectorCount });
    const sectors = Math.min(step, sectorCount - first);
    await withSectors(queue, first, sectors, async (chunk) => {
      for (let index = 0; index < sectors; index += 1) {
        const rest = chunk.subarray(index * sectorBytes, (index + 1) * sectorBytes);
        const sector = first + index;
        if (claimedPageBytes(rest) === 0) continue;
        const page = peekPage(rest);
        if (page.address !== sector) continue;
        if (known !== undefined && page.storeId !== known.superblock.storeId) continue;
        lastGeneration = Math.max(lastGeneration, page.generation);
        if (page.kind !== PAGE_KIND.manifest || !claimsManifestLength(rest)) continue;
        const found = await readManifestAt(queue, sector, claimedPageBytes(rest), page.storeId);
        if (found === undefined) continue;
        if (isNewer(found.base, best?.base, known)) best = found;
      }
    });
  }
  if (best === undefined) return undefined;
  return storeOf(best, lastGeneration, sectorBytes, known);
}

/**
 * A checkpoint that failed was taken again, under its number and in a later generation. What whole superblocks do not go as far as never
 * came to its end: of it only what nothing older is there for.
 */
function isNewer(
  base: Base,
  than: Base | undefined,
  known: SuperblockReading | undefined,
): boolean {
  if (than === undefined) return base.checkpoint > 0;
  const { checkpoint, manifestGeneration } = than;
  const ended = known?.damage === undefined ? known?.superblock.checkpoint : undefined;
  if (ended !== undefined && base.checkpoint < ended !== checkpoint < ended) {
    return base.checkpoint < ended;
  }
  return base.checkpoint === checkpoint
    ? base.manifestGeneration > manifestGeneration
    : base.checkpoint > checkpoint;
}

function storeOf(
  { base, manifest, storeId }: FoundManifest,
  lastGeneration: number,
  sectorBytes: number,
  known: SuperblockReading | undefined,
): SearchedStore {
  const { extentSectors, pageSectors } = manifest;
  const superblock = known?.superblock ?? {
    storeId,
    sectorBytes,
    extentSectors,
    pageSectors,
    sequence: 1,
    ...base,
    // What a lost superblock had set aside lies below.
    generationLimit: lastGeneration + 2 * GENERATIONS_RESERVED,
  };
  const reading = { superblock, damage: known?.damage };
  return { layout: new StoreLayout(superblock), reading, base, manifest };
}

async function readManifestAt(
  queue: RequestQueue,
  sector: number,
  bytes: number,
  storeId: string,
): Promise<FoundManifest | undefined> {
  const { device } = queue;
  const sectors = Math.ceil(bytes / device.sectorBytes);
  if (sector + sectors > device.sectorCount) return undefined;
  let found: FoundManifest | undefined;
  await withSectors(queue, sector, sectors, (page) => {
    try {
      const { header } = verifyPage(page, device.sectorBytes, { address: sector, storeId });
      const manifest = decodeManifest(page, header);
      const base = {
        checkpoint: manifest.checkpoint,
        commitNumber: header.commitNumber as CommitNumber,
        manifestAddress: sector,
        manifestGeneration: header.generation,
        manifestSectors: sectors,
      };
      found = { base, manifest, storeId };
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
    }
  });
  return found;
}

async function withSectors(
  queue: RequestQueue,
  first: number,
  sectors: number,
  use: (bytes: Buffer) => void | Promise<void>,
): Promise<void> {
  const buffer = allocateAligned(sectors * queue.device.sectorBytes);
  try {
    await queue.submit(readBio(queue.device, sectorNumber(first), [buffer]));
    await use(buffer);
  } catch (error) {
    // Whatever lies in sectors that the disk cannot read is not found.
    if (!(error instanceof DeviceError) || error.errno !== 'EIO') throw error;
  } finally {
    releaseAligned(buffer);
  }
}
