/** A volume whose requests a test may hold back or refuse before they reach the device. */
import type { Bio, Device, Volume } from '../../../storage/device/contract.ts';

/** Runs before each request but synchronous ones; what it throws is the request's failure. */
export type Guard = (deviceName: string, bio: Bio) => Promise<void> | void;

export function guardedVolume(volume: Volume, guard: Guard): Volume {
  return {
    sectorBytes: volume.sectorBytes,
    list: () => volume.list(),
    remove: (name) => volume.remove(name),
    space: () => volume.space(),
    close: () => volume.close(),
    open: async (name, options) => guardedDevice(await volume.open(name, options), guard),
  };
}

function guardedDevice(device: Device, guard: Guard): Device {
  return {
    name: device.name,
    sectorBytes: device.sectorBytes,
    durableWrites: device.durableWrites,
    get sectorCount() {
      return device.sectorCount;
    },
    async execute(bio) {
      await guard(device.name, bio);
      await device.execute(bio);
    },
    executeSync: (bio) => device.executeSync(bio),
    grow: (sectorCount) => device.grow(sectorCount),
    close: () => device.close(),
  };
}
