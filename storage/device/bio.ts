/**
 * Builds and checks bios.
 *
 * Promises: a bio made here is well formed; what devices check again is only whether it lies inside them.
 */
import { invariant } from '../../common/assert.ts';
import { DeviceError } from '../../common/errors.ts';
import { isAligned } from './aligned-memory.ts';
import type { Bio, BioOperation, Device, SectorNumber } from './contract.ts';

/** Marks a number as a sector's. @param sector an integer of at least 0. */
export function sectorNumber(sector: number): SectorNumber {
  invariant(Number.isSafeInteger(sector), 'sector number: not an integer');
  invariant(sector >= 0, 'sector number: negative');
  return sector as SectorNumber;
}

const SECTOR_ZERO = sectorNumber(0);

/** Reads `buffers` full from `firstSector` on. */
export function readBio(
  device: Pick<Device, 'sectorBytes'>,
  firstSector: SectorNumber,
  buffers: readonly Buffer[],
): Bio {
  const sectorCount = countSectors(device.sectorBytes, buffers);
  return { operation: 'READ', firstSector, sectorCount, buffers, fua: false };
}

/** Writes `buffers` from `firstSector` on. @param options.fua durable when acknowledged; default false */
export function writeBio(
  device: Pick<Device, 'sectorBytes'>,
  firstSector: SectorNumber,
  buffers: readonly Buffer[],
  options: { readonly fua?: boolean } = {},
): Bio {
  const sectorCount = countSectors(device.sectorBytes, buffers);
  return { operation: 'WRITE', firstSector, sectorCount, buffers, fua: options.fua ?? false };
}

/** Makes durable every write acknowledged before. */
export function flushBio(): Bio {
  return { operation: 'FLUSH', firstSector: SECTOR_ZERO, sectorCount: 0, buffers: [], fua: false };
}

/** Gives sectors back to the disk, best effort: they read as zeros or as before, and may be written again. */
export function discardBio(firstSector: SectorNumber, sectorCount: number): Bio {
  invariant(sectorCount > 0, 'discard: nothing to discard');
  return { operation: 'DISCARD', firstSector, sectorCount, buffers: [], fua: false };
}

/** True for operations that carry data. */
export function movesData(operation: BioOperation): operation is 'READ' | 'WRITE' {
  return operation === 'READ' || operation === 'WRITE';
}

/** Refuses a bio that leaves the device or does not fit its sectors. @throws DeviceError EINVAL */
export function checkBio(bio: Bio, device: Device): void {
  if (bio.firstSector + bio.sectorCount > device.sectorCount) {
    throw new DeviceError(
      'EINVAL',
      `${device.name}: ${bio.operation} of ${bio.sectorCount} sectors at ${bio.firstSector} is past its end (${device.sectorCount} sectors)`,
    );
  }
  if (!movesData(bio.operation)) return;
  if (countSectors(device.sectorBytes, bio.buffers) !== bio.sectorCount) {
    throw new DeviceError('EINVAL', `${device.name}: buffers and sector count disagree`);
  }
  if (!bio.buffers.every(isAligned)) {
    throw new DeviceError('EINVAL', `${device.name}: memory is not of allocateAligned`);
  }
}

function countSectors(sectorBytes: number, buffers: readonly Buffer[]): number {
  let bytes = 0;
  for (const buffer of buffers) {
    invariant(buffer.length > 0, 'bio: empty buffer');
    invariant(buffer.length % sectorBytes === 0, 'bio: buffer is not a whole number of sectors');
    bytes += buffer.length;
  }
  invariant(bytes > 0, 'bio: no buffers');
  return bytes / sectorBytes;
}
