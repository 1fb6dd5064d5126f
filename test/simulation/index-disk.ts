/**
 * The disk under the simulated index store: its commits are steps of the machine like any request of a device, may fail
 * with an error and be durable all the same, and meet a full disk.
 */
import { DeviceError } from '../../common/errors.ts';
import type { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import type { OrderedTree } from '../../storage/indexes/ordered-tree.ts';
import { MemoryIndexDisk } from '../../storage/indexes/memory-store.ts';

/** Its name in faults. */
export const INDEX_DEVICE = 'index store';
const PLACE = { device: INDEX_DEVICE, firstSector: 0, sectorCount: 1 };

export class SimulatedIndexDisk extends MemoryIndexDisk {
  private readonly volume: SimulatedVolume;

  constructor(volume: SimulatedVolume) {
    super();
    this.volume = volume;
  }

  /** @throws DeviceError EIO: nobody knows whether the commit is durable; ENOSPC: it is not */
  override async write(state: OrderedTree): Promise<void> {
    const { volume } = this;
    volume.step('WRITE', PLACE);
    if (volume.strikes('noSpace', INDEX_DEVICE)) {
      throw volume.fault('noSpace', PLACE, 'ENOSPC', 'WRITE');
    }
    if (!volume.strikes('writeError', INDEX_DEVICE)) return super.write(state);
    if (volume.random.below(2) === 0) await super.write(state);
    throw volume.fault('writeError', PLACE, 'EIO', 'WRITE');
  }
}

/** What a device answers once the power is gone: the end of this life, and no news to anybody. */
export function isPowerLoss(error: unknown): boolean {
  return error instanceof DeviceError && error.errno === 'ENODEV';
}
