import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceOpenOptions } from '../../storage/device/contract.ts';
import { FileVolume, type FileVolumeOptions } from '../../storage/device/file-volume.ts';
import { MemoryVolume } from '../../storage/device/memory-volume.ts';
import { SimulatedVolume } from '../../storage/device/simulated-volume.ts';
import { describeVolume, type VolumeUnderTest } from './device.ts';

async function fileVolume(
  volumeOptions: FileVolumeOptions,
  options: DeviceOpenOptions = {},
): Promise<VolumeUnderTest> {
  // Not in /tmp by choice of the system: it may be a file system without direct I/O.
  const directory = await mkdtemp(join(process.cwd(), 'data-volume-'));
  const volume = await FileVolume.open(directory, volumeOptions);
  return { volume, options, dispose: () => rm(directory, { recursive: true }) };
}

const nothing = (): Promise<void> => Promise.resolve();

describe('volume contract', () => {
  describe('files with direct I/O where allowed', () => {
    describeVolume(() => fileVolume({}));
  });
  describe('files through the system cache', () => {
    describeVolume(() => fileVolume({ direct: false }));
  });
  describe('files served by threads of their own', () => {
    describeVolume(() => fileVolume({}, { thread: true }));
  });
  describe('memory', () => {
    describeVolume(() => Promise.resolve({ volume: new MemoryVolume(), dispose: nothing }));
  });
  describe('simulation without faults', () => {
    describeVolume(() =>
      Promise.resolve({ volume: new SimulatedVolume({ seed: 1 }), dispose: nothing }),
    );
  });
  describe('simulation that stalls', () => {
    describeVolume(() =>
      Promise.resolve({
        volume: new SimulatedVolume({ seed: 2, faults: { stall: 0.3 } }),
        dispose: nothing,
      }),
    );
  });
});
