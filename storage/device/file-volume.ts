/**
 * A directory whose files are devices.
 *
 * Owns: creating and removing the files, durably, and the threads that journal devices share.
 * Never: opens files that others in the directory own (LMDB's, the lock).
 * Tests: test/contracts/device.ts, test/storage/device/file-volume.test.ts.
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from './aligned-memory.ts';
import { LEAST_SECTOR_BYTES, physicalBlockBytes } from './block-size.ts';
import type { Device, DeviceOpenOptions, Volume } from './contract.ts';
import { DeviceThreads } from './device-threads.ts';
import { FileDevice, type FileDeviceOptions } from './file-device.ts';
import { asDeviceError } from './file-io.ts';

/** A device being created bears this name until it is whole. */
const UNFINISHED_SUFFIX = '.unfinished';
const PROBE_NAME = 'direct-io-probe.unfinished';
/** The journal has at most two writes in flight. */
const THREAD_COUNT = 2;

export interface FileVolumeOptions {
  /** Use O_DIRECT; default: where the file system allows it. */
  readonly direct?: boolean;
  /** Nothing in the directory is changed, and devices can only be read. */
  readonly readOnly?: boolean;
}

export class FileVolume implements Volume {
  readonly sectorBytes: number;
  /** Whether devices bypass the system's cache. */
  readonly direct: boolean;
  private readonly directory: string;
  private readonly readOnly: boolean;
  private threads: DeviceThreads | undefined;

  private constructor(
    directory: string,
    sectorBytes: number,
    { direct, readOnly }: Required<FileVolumeOptions>,
  ) {
    this.directory = directory;
    this.sectorBytes = sectorBytes;
    this.direct = direct;
    this.readOnly = readOnly;
  }

  /** Opens a directory, creating it if need be, and removes what an interrupted creation left behind. */
  static async open(directory: string, options: FileVolumeOptions = {}): Promise<FileVolume> {
    if (options.readOnly === true) {
      const sectorBytes = await physicalBlockBytes(directory);
      const direct = options.direct ?? (await allowsDirectReads(directory));
      return new FileVolume(directory, sectorBytes, { direct, readOnly: true });
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (name.endsWith(UNFINISHED_SUFFIX)) await rm(join(directory, name));
    }
    const sectorBytes = await physicalBlockBytes(directory);
    const direct = options.direct ?? (await allowsDirectIo(join(directory, PROBE_NAME)));
    return new FileVolume(directory, sectorBytes, { direct, readOnly: false });
  }

  async list(): Promise<string[]> {
    const entries = await this.ask('list', readdir(this.directory, { withFileTypes: true }));
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(UNFINISHED_SUFFIX))
      .map((entry) => entry.name)
      .sort();
  }

  async open(name: string, options: DeviceOpenOptions = {}): Promise<Device> {
    const path = join(this.directory, name);
    if (this.readOnly)
      return FileDevice.open(this.deviceOptions(name, { ...options, thread: false }));
    if (options.create === true && !(await exists(path))) await this.create(name, options);
    return FileDevice.open(this.deviceOptions(name, options));
  }

  async remove(name: string): Promise<void> {
    try {
      await rm(join(this.directory, name), { force: true });
      await this.syncDirectory();
    } catch (error) {
      throw asDeviceError(name, 'remove', error);
    }
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bavail, blocks, bsize } = await this.ask('statfs', statfs(this.directory));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  async close(): Promise<void> {
    const { threads } = this;
    this.threads = undefined;
    await threads?.close();
  }

  /** Makes a whole device under another name first, so that after a power cut it is there whole or not at all. */
  private async create(name: string, options: DeviceOpenOptions): Promise<void> {
    const unfinished = name + UNFINISHED_SUFFIX;
    await rm(join(this.directory, unfinished), { force: true });
    const device = await FileDevice.open(this.deviceOptions(unfinished, options), true);
    try {
      await device.grow(options.sectorCount ?? 0);
    } catch (error) {
      await device.close();
      await rm(join(this.directory, unfinished), { force: true });
      throw error;
    }
    await device.close();
    try {
      await rename(join(this.directory, unfinished), join(this.directory, name));
      await this.syncDirectory();
    } catch (error) {
      throw asDeviceError(name, 'create', error);
    }
  }

  private deviceOptions(name: string, options: DeviceOpenOptions): FileDeviceOptions {
    if (name.includes('/') || name.startsWith('.')) {
      throw new DeviceError('EINVAL', `${name} is no name for a device`);
    }
    // Measured (bench/micro/storage/journal-device): alone both ways are equal; while logins keep the pool busy, a write
    // of 100 us takes 8 ms through the pool and 100-170 us on threads of its own.
    const thread = options.thread ?? options.durableWrites === true;
    const threads = thread ? this.sharedThreads() : undefined;
    return {
      path: join(this.directory, name),
      name,
      sectorBytes: options.sectorBytes ?? this.sectorBytes,
      direct: this.direct,
      durableWrites: options.durableWrites ?? false,
      zeroed: options.zeroed ?? false,
      readOnly: this.readOnly,
      ...(threads === undefined ? {} : { threads }),
    };
  }

  private sharedThreads(): DeviceThreads {
    this.threads ??= new DeviceThreads(THREAD_COUNT);
    return this.threads;
  }

  private async ask<T>(operation: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw asDeviceError('volume', operation, error);
    }
  }

  private async syncDirectory(): Promise<void> {
    const directory = await open(this.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** Tries a direct read of some file that is there: what is to be verified lies on the disk, not in the system's cache. */
async function allowsDirectReads(directory: string): Promise<boolean> {
  const block = allocateAligned(LEAST_SECTOR_BYTES);
  try {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = await open(join(directory, entry.name), constants.O_RDONLY | constants.O_DIRECT);
      try {
        const { bytesRead } = await file.read(block, 0, block.length, 0);
        if (bytesRead === block.length) return true;
      } finally {
        await file.close();
      }
    }
    return false;
  } catch {
    // Whatever it is, reading through the cache will tell.
    return false;
  } finally {
    releaseAligned(block);
  }
}

/** Tries a direct write and read: some file systems accept the flag and refuse the transfer. */
async function allowsDirectIo(path: string): Promise<boolean> {
  const block = allocateAligned(4096).fill(0);
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT;
    const file = await open(path, flags, 0o600);
    try {
      await file.write(block, 0, block.length, 0);
      const { bytesRead } = await file.read(block, 0, block.length, 0);
      return bytesRead === block.length;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EINVAL') return false;
    // A full disk must not keep a store from opening: what refuses the transfer does so before it looks for space.
    const named = asDeviceError('volume', 'probe', error);
    if (named instanceof DeviceError && named.errno === 'ENOSPC') return true;
    throw named;
  } finally {
    releaseAligned(block);
    await rm(path, { force: true });
  }
}
