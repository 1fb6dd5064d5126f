/**
 * A file of zeros that takes up space, so that it can be given back when the disk is full.
 *
 * Owns: the file. It is nobody's data: whatever becomes of it, the store is whole. One change at a time.
 */
import { DeviceError } from '../../common/errors.ts';
import type { Volume } from '../device/contract.ts';

export const BALLAST_NAME = 'ballast.flint';

const MEBIBYTE = 1024 * 1024;
/** Two journal segments of the smallest size. */
const LEAST_BYTES = 2 * MEBIBYTE;
const MOST_BYTES = 64 * MEBIBYTE;
/** Of the store's size: about what a checkpoint of few changes writes. */
const PART = 32;

export class Ballast {
  private readonly volume: Volume;
  private heldBytes = 0;
  private changing: Promise<void> = Promise.resolve();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** What a store of this size should keep, bytes. */
  static bytesFor(storeBytes: number): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, powerBelow(storeBytes / PART)));
  }

  get bytes(): number {
    return this.heldBytes;
  }

  /** Looks for one that an earlier run left. */
  find(): Promise<void> {
    return this.change(async () => {
      if (!(await this.volume.list()).includes(BALLAST_NAME)) return;
      const device = await this.volume.open(BALLAST_NAME);
      this.heldBytes = device.sectorCount * device.sectorBytes;
      await device.close();
    });
  }

  /** Makes one of at least so many bytes, unless there is. Best effort: the space may be gone. */
  keep(bytes: number): Promise<void> {
    return this.change(async () => {
      if (this.heldBytes >= bytes) return;
      await this.remove();
      const sectorCount = Math.ceil(bytes / this.volume.sectorBytes);
      const device = await this.volume.open(BALLAST_NAME, {
        create: true,
        sectorCount,
        zeroed: true,
      });
      this.heldBytes = device.sectorCount * device.sectorBytes;
      await device.close();
    });
  }

  /** Gives its space back. */
  drop(): Promise<void> {
    return this.change(() => this.remove());
  }

  /** Resolves when nothing is being changed. */
  idle(): Promise<void> {
    return this.changing;
  }

  private async remove(): Promise<void> {
    this.heldBytes = 0;
    await this.volume.remove(BALLAST_NAME);
  }

  private change(run: () => Promise<void>): Promise<void> {
    const changed = this.changing.then(run).catch((error: unknown) => {
      if (!(error instanceof DeviceError)) throw error;
    });
    this.changing = changed.catch(() => {});
    return changed;
  }
}

function powerBelow(bytes: number): number {
  return bytes < 1 ? 0 : 2 ** Math.floor(Math.log2(bytes));
}
