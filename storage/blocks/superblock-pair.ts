/**
 * The two copies of the superblock: reads the better one, overwrites the older one.
 *
 * Invariants:
 *  1. One copy is whole at any instant: a write touches the copy that does not hold the last good state.
 *  2. The generation limits of the two copies differ by at most GENERATIONS_RESERVED + 1, once a checkpoint began: so the
 *     surviving copy, when the newer one is lost, still tells generations that were never used.
 * Bytes: docs/format/superblock.md. Tests: test/storage/blocks/power-cut.test.ts, damage.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { readBio, sectorNumber, writeBio } from '../device/bio.ts';
import type { RequestQueue } from '../device/request-queue.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  superblockSector,
  type Superblock,
} from '../format/superblock.ts';

/** Generations that a superblock write sets aside for the checkpoints until the next write. */
export const GENERATIONS_RESERVED = 64;

/** What both copies say. */
export interface SuperblockReading {
  /** The valid copy with the higher sequence. */
  readonly superblock: Superblock;
  /** What is wrong with the other copy, if anything. */
  readonly damage: CorruptionError | undefined;
}

export interface SuperblockCopies {
  readonly valid: readonly Superblock[];
  readonly damaged: readonly CorruptionError[];
}

interface CopyReading {
  readonly superblock?: Superblock;
  readonly damage?: CorruptionError;
}

/**
 * Reads both copies.
 * @throws CorruptionError when neither is valid: kind `missing` when the device is blank, else what is wrong with the first
 */
export async function readSuperblocks(queue: RequestQueue): Promise<SuperblockReading> {
  const { valid, damaged } = await readSuperblockCopies(queue);
  const best = valid[0];
  if (best === undefined) {
    throw damaged.find((error) => error.kind !== 'missing') ?? damaged[0];
  }
  return { superblock: best, damage: damaged[0] };
}

/** The copies that are whole, the newer one first, and what is wrong with the others. */
export async function readSuperblockCopies(queue: RequestQueue): Promise<SuperblockCopies> {
  const outcomes = [await readCopy(queue, 0), await readCopy(queue, 1)];
  const valid = outcomes.flatMap((outcome) => outcome.superblock ?? []);
  const damaged = outcomes.flatMap((outcome) => outcome.damage ?? []);
  return { valid: valid.sort((a, b) => b.sequence - a.sequence), damaged };
}

/** Writes the next superblock over the older copy, durably. */
export async function writeSuperblock(queue: RequestQueue, superblock: Superblock): Promise<void> {
  const { sectorBytes } = queue.device;
  invariant(superblock.sectorBytes === sectorBytes, 'superblock: sector size of another device');
  const sector = superblockSector(superblock.sequence % 2, sectorBytes);
  const buffer = allocateAligned(sectorBytes);
  encodeSuperblock(superblock, buffer);
  try {
    await queue.submit(writeBio(queue.device, sectorNumber(sector), [buffer], { fua: true }));
  } finally {
    releaseAligned(buffer);
  }
}

/** Reads back what was written last. @throws CorruptionError that names the copy */
export async function verifySuperblock(queue: RequestQueue, written: Superblock): Promise<void> {
  const copy = written.sequence % 2;
  const { superblock, damage } = await readCopy(queue, copy);
  if (damage !== undefined) throw damage;
  if (superblock?.sequence === written.sequence) return;
  const message = `copy ${copy}: sequence ${superblock?.sequence} stands there instead of ${written.sequence}`;
  throw new CorruptionError('lostWrite', 'superblock', message);
}

async function readCopy(queue: RequestQueue, copy: number): Promise<CopyReading> {
  const { device } = queue;
  const sector = superblockSector(copy, device.sectorBytes);
  if (sector >= device.sectorCount) {
    const message = `copy ${copy}: the file is too short`;
    return { damage: new CorruptionError('missing', 'superblock', message) };
  }
  const buffer = allocateAligned(device.sectorBytes);
  try {
    await queue.submit(readBio(device, sectorNumber(sector), [buffer]));
    return { superblock: decodeSuperblock(buffer, copy) };
  } catch (error) {
    if (error instanceof CorruptionError) return { damage: error };
    if (!(error instanceof DeviceError) || error.errno !== 'EIO') throw error;
    // A bad block takes one copy; writing it again lets the disk replace the block.
    const message = `copy ${copy}: the device cannot read it`;
    return { damage: new CorruptionError('checksum', 'superblock', message, { cause: error }) };
  } finally {
    releaseAligned(buffer);
  }
}
