/**
 * What the rest of storage sees of a disk: bios, devices and volumes, modelled on Linux's block layer.
 *
 * Promises that every implementation keeps (test/contracts/device.ts runs them all):
 *  1. A request is acknowledged alone, by its promise: resolved it happened, rejected with a DeviceError it may have
 *     happened in part.
 *  2. A READ sees every WRITE that was acknowledged before it was handed over.
 *  3. A FLUSH makes durable every WRITE that was acknowledged before it was handed over; a WRITE with `fua`, and every
 *     WRITE on a device with `durableWrites`, is durable when it is acknowledged. Nothing else is.
 *  4. Requests in flight together end in any order, and may reach the medium in any order: who needs an order awaits.
 *  5. One sector is written whole or not at all; of a longer write any sectors may be missing after a power cut.
 *  6. The bytes of a request's buffers must not change until it ended; afterwards the device does not hold them.
 */
import type { Branded } from '../contract.ts';

/** Number of a sector on its device, from 0. Sectors are counted in `Device.sectorBytes`. */
export type SectorNumber = Branded<number, 'SectorNumber'>;

export type BioOperation = 'READ' | 'WRITE' | 'FLUSH' | 'DISCARD';

/** One request. bio.ts builds and checks them. */
export interface Bio {
  readonly operation: BioOperation;
  /** 0 for FLUSH. */
  readonly firstSector: SectorNumber;
  /** 0 for FLUSH. */
  readonly sectorCount: number;
  /**
   * READ: filled in order; WRITE: taken in order. Together exactly sectorCount sectors, each a whole number of sectors
   * in memory of allocateAligned (other memory is refused with EINVAL). Empty for FLUSH and DISCARD.
   */
  readonly buffers: readonly Buffer[];
  /** Force unit access: this WRITE is durable when it is acknowledged. */
  readonly fua: boolean;
}

export interface Device {
  /** Its name in its volume. */
  readonly name: string;
  readonly sectorBytes: number;
  /** Present size; grow() raises it. */
  readonly sectorCount: number;
  /** Every WRITE is durable when it is acknowledged. */
  readonly durableWrites: boolean;
  /** @throws DeviceError (rejection) with errno EIO, ENOSPC, EINVAL, EBADF (closed) or ENODEV (gone). */
  execute(bio: Bio): Promise<void>;
  /** The same on the calling thread, blocking it. READ, WRITE and FLUSH. @throws DeviceError */
  executeSync(bio: Bio): void;
  /** Makes the device at least this large, durably; new sectors read as zeros. Never shrinks. */
  grow(sectorCount: number): Promise<void>;
  /** Waits for what is in flight, then closes. Does not flush. Idempotent. */
  close(): Promise<void>;
}

export interface DeviceOpenOptions {
  /** Create it when it is missing (durably: it is there after a power cut); else a missing one is a DeviceError ENOENT. */
  readonly create?: boolean;
  /** Size when created, in sectors; default 0. An existing device keeps its size. */
  readonly sectorCount?: number;
  /** Write zeros over the whole device when it is created or grows: later writes then need no allocation. For journals. */
  readonly zeroed?: boolean;
  /** Every WRITE is durable when acknowledged (O_DSYNC). For journals. */
  readonly durableWrites?: boolean;
  /** Run requests on threads of their own instead of the shared pool. Default: devices with durableWrites do. */
  readonly thread?: boolean;
  /** Use sectors of this size instead of the volume's: for a store that was made on another disk. */
  readonly sectorBytes?: number;
}

/** A directory of devices. */
export interface Volume {
  /** Physical block size of the disk below, at least 4096 bytes, a power of two. */
  readonly sectorBytes: number;
  /** Names of the devices, sorted. */
  list(): Promise<string[]>;
  open(name: string, options?: DeviceOpenOptions): Promise<Device>;
  /** Removes a closed device, durably. A missing one is no error. */
  remove(name: string): Promise<void>;
  /** Space as the file system sees it, bytes. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** Ends what the volume runs for its devices (threads). Close the devices first. Idempotent. */
  close(): Promise<void>;
}
