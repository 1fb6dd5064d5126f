/**
 * Devices in memory: for tests, and for a server that keeps nothing (`startServer({storage: 'memory'})`).
 *
 * Keeps contract.ts like a disk does, but for durability: everything ends with the process. Closing and opening a device
 * again within one volume finds its contents.
 * Tests: test/contracts/device.ts.
 */
import { DeviceError } from '../../common/errors.ts';
import { checkBio } from './bio.ts';
import type { Bio, Device, DeviceOpenOptions, Volume } from './contract.ts';
import { SectorStore, sectorsOf } from './sector-store.ts';

interface MemoryFile {
  readonly store: SectorStore;
  readonly sectorBytes: number;
  sectorCount: number;
}

export interface MemoryVolumeOptions {
  /** Default 4096. */
  readonly sectorBytes?: number;
  /** Space that all devices together may take; default: no bound. Beyond it grow() and open() give ENOSPC. */
  readonly capacityBytes?: number;
}

export class MemoryVolume implements Volume {
  readonly sectorBytes: number;
  private readonly capacityBytes: number;
  private readonly files = new Map<string, MemoryFile>();

  constructor(options: MemoryVolumeOptions = {}) {
    this.sectorBytes = options.sectorBytes ?? 4096;
    this.capacityBytes = options.capacityBytes ?? 2 ** 50;
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.files.keys()].sort());
  }

  async open(name: string, options: DeviceOpenOptions = {}): Promise<Device> {
    if (!this.files.has(name)) await this.create(name, options);
    const file = this.files.get(name);
    if (file === undefined) throw new DeviceError('ENOENT', `${name}: no such device`);
    return new MemoryDevice(name, file, this, options.durableWrites ?? false);
  }

  remove(name: string): Promise<void> {
    this.files.delete(name);
    return Promise.resolve();
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const freeBytes = this.capacityBytes - this.usedBytes();
    return Promise.resolve({ freeBytes, totalBytes: this.capacityBytes });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** @throws DeviceError ENOSPC when another `bytes` do not fit. */
  reserve(name: string, bytes: number): void {
    if (this.usedBytes() + bytes <= this.capacityBytes) return;
    throw new DeviceError('ENOSPC', `${name}: no space left on the memory volume`);
  }

  private create(name: string, options: DeviceOpenOptions): Promise<void> {
    if (options.create !== true) return Promise.resolve();
    const sectorBytes = options.sectorBytes ?? this.sectorBytes;
    const sectorCount = options.sectorCount ?? 0;
    this.reserve(name, sectorCount * sectorBytes);
    this.files.set(name, { store: new SectorStore(sectorBytes), sectorBytes, sectorCount });
    return Promise.resolve();
  }

  private usedBytes(): number {
    let bytes = 0;
    for (const file of this.files.values()) bytes += file.sectorCount * file.sectorBytes;
    return bytes;
  }
}

class MemoryDevice implements Device {
  readonly name: string;
  readonly durableWrites: boolean;
  private readonly file: MemoryFile;
  private readonly volume: MemoryVolume;
  private closed = false;

  constructor(name: string, file: MemoryFile, volume: MemoryVolume, durableWrites: boolean) {
    this.name = name;
    this.file = file;
    this.volume = volume;
    this.durableWrites = durableWrites;
  }

  get sectorBytes(): number {
    return this.file.sectorBytes;
  }

  get sectorCount(): number {
    return this.file.sectorCount;
  }

  async execute(bio: Bio): Promise<void> {
    this.run(bio);
    // As from a disk, the answer comes in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  executeSync(bio: Bio): void {
    if (bio.operation === 'DISCARD') {
      throw new DeviceError('EINVAL', `${this.name}: DISCARD cannot be synchronous`);
    }
    this.run(bio);
  }

  async grow(sectorCount: number): Promise<void> {
    if (this.closed) throw this.closedError();
    if (sectorCount <= this.file.sectorCount) return;
    this.volume.reserve(this.name, (sectorCount - this.file.sectorCount) * this.sectorBytes);
    this.file.sectorCount = sectorCount;
    await Promise.resolve();
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  private run(bio: Bio): void {
    if (this.closed) throw this.closedError();
    checkBio(bio, this);
    const { store } = this.file;
    switch (bio.operation) {
      case 'READ':
        store.readInto(bio.firstSector, bio.buffers);
        break;
      case 'WRITE':
        for (const [index, sector] of sectorsOf(bio.buffers, this.sectorBytes).entries()) {
          store.set(bio.firstSector + index, sector);
        }
        break;
      case 'DISCARD':
        for (let index = 0; index < bio.sectorCount; index += 1) {
          store.clear(bio.firstSector + index);
        }
        break;
      case 'FLUSH':
        break;
    }
  }

  private closedError(): DeviceError {
    return new DeviceError('EBADF', `${this.name}: the device is closed`);
  }
}
