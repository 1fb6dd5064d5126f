/**
 * A device over one file: direct I/O where the file system allows it, the system's cache with fdatasync where not.
 *
 * Owns: the open file. Nobody else writes to it. Promises: storage/device/contract.ts.
 * Tests: test/contracts/device.ts, test/storage/device/file-volume.test.ts.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from './aligned-memory.ts';
import { checkBio } from './bio.ts';
import type { Bio, Device } from './contract.ts';
import type { DeviceThreads } from './device-threads.ts';
import { asDeviceError, runBlocking, runOnPool, type FileCall } from './file-io.ts';
import { HolePuncher } from './hole-puncher.ts';

const ZERO_CHUNK_BYTES = 1024 * 1024;

export interface FileDeviceOptions {
  readonly path: string;
  readonly name: string;
  readonly sectorBytes: number;
  /** Open with O_DIRECT. */
  readonly direct: boolean;
  /** Open with O_DSYNC. */
  readonly durableWrites: boolean;
  /** Write zeros over sectors that grow() adds. */
  readonly zeroed: boolean;
  /** Open for reading alone. */
  readonly readOnly?: boolean;
  /** Threads to run calls on; libuv's pool if absent. */
  readonly threads?: DeviceThreads;
}

export class FileDevice implements Device {
  readonly name: string;
  readonly sectorBytes: number;
  readonly durableWrites: boolean;
  private readonly file: FileHandle;
  private readonly zeroed: boolean;
  private readonly threads: DeviceThreads | undefined;
  private readonly puncher: HolePuncher;
  private sectors: number;
  private readonly inFlight = new Set<Promise<void>>();
  private lastGrowth: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;

  private constructor(file: FileHandle, sectors: number, options: FileDeviceOptions) {
    this.file = file;
    this.sectors = sectors;
    this.name = options.name;
    this.sectorBytes = options.sectorBytes;
    this.durableWrites = options.durableWrites;
    this.zeroed = options.zeroed;
    this.threads = options.threads;
    this.puncher = new HolePuncher(options.path);
  }

  /** Opens a file, which must exist unless `create`. A last part that is no whole sector does not count. */
  static async open(options: FileDeviceOptions, create = false): Promise<FileDevice> {
    const flags =
      (options.readOnly === true ? constants.O_RDONLY : constants.O_RDWR) |
      (create ? constants.O_CREAT | constants.O_EXCL : 0) |
      (options.direct ? constants.O_DIRECT : 0) |
      (options.durableWrites ? constants.O_DSYNC : 0);
    try {
      const file = await open(options.path, flags, 0o600);
      const { size } = await file.stat();
      return new FileDevice(file, Math.floor(size / options.sectorBytes), options);
    } catch (error) {
      throw asDeviceError(options.name, 'open', error);
    }
  }

  get sectorCount(): number {
    return this.sectors;
  }

  execute(bio: Bio): Promise<void> {
    const running = this.start(bio);
    this.inFlight.add(running);
    return running.finally(() => this.inFlight.delete(running));
  }

  executeSync(bio: Bio): void {
    this.check(bio);
    if (bio.operation === 'DISCARD') {
      throw new DeviceError('EINVAL', `${this.name}: DISCARD cannot be synchronous`);
    }
    runBlocking(this.name, this.callOf(bio));
  }

  grow(sectorCount: number): Promise<void> {
    // One after the other: a smaller truncate behind a larger one would cut the file.
    const growing = this.lastGrowth.then(() => this.growNow(sectorCount));
    this.lastGrowth = growing.catch(() => {});
    return growing;
  }

  close(): Promise<void> {
    this.closing ??= this.closeFile();
    return this.closing;
  }

  private async growNow(sectorCount: number): Promise<void> {
    if (this.closing !== undefined) throw this.closedError();
    if (sectorCount <= this.sectors) return;
    try {
      if (this.zeroed) await this.writeZeros(this.sectors, sectorCount);
      else await this.file.truncate(sectorCount * this.sectorBytes);
      await this.file.datasync();
    } catch (error) {
      throw asDeviceError(this.name, 'grow', error);
    }
    this.sectors = sectorCount;
  }

  private async start(bio: Bio): Promise<void> {
    this.check(bio);
    if (bio.operation === 'DISCARD') {
      const { sectorBytes } = this;
      return this.puncher.punch(bio.firstSector * sectorBytes, bio.sectorCount * sectorBytes);
    }
    const call = this.callOf(bio);
    return this.threads?.tryRun(this.name, call) ?? runOnPool(this.name, call);
  }

  private check(bio: Bio): void {
    if (this.closing !== undefined) throw this.closedError();
    checkBio(bio, this);
  }

  private callOf(bio: Bio): FileCall {
    return {
      operation: this.operationOf(bio),
      fd: this.file.fd,
      position: bio.firstSector * this.sectorBytes,
      buffers: bio.buffers,
    };
  }

  private operationOf(bio: Bio): FileCall['operation'] {
    if (bio.operation === 'READ') return 'READ';
    if (bio.operation === 'FLUSH') return 'SYNC';
    // With O_DSYNC the write itself is durable.
    return bio.fua && !this.durableWrites ? 'WRITE_SYNC' : 'WRITE';
  }

  private async writeZeros(fromSector: number, toSector: number): Promise<void> {
    const zeros = allocateAligned(ZERO_CHUNK_BYTES).fill(0);
    try {
      let position = fromSector * this.sectorBytes;
      const end = toSector * this.sectorBytes;
      while (position < end) {
        const bytes = Math.min(ZERO_CHUNK_BYTES, end - position);
        const buffers = [zeros.subarray(0, bytes)];
        const call: FileCall = { operation: 'WRITE', fd: this.file.fd, position, buffers };
        await runOnPool(this.name, call);
        position += bytes;
      }
    } finally {
      releaseAligned(zeros);
    }
  }

  private async closeFile(): Promise<void> {
    await Promise.allSettled([...this.inFlight, this.lastGrowth]);
    await this.file.close();
  }

  private closedError(): DeviceError {
    return new DeviceError('EBADF', `${this.name}: the device is closed`);
  }
}
