/**
 * Decides in which order queued requests go to the device, and which of them become one device call.
 *
 * Owns: the requests that wait. Promises: every request added comes out once, whole; only requests of one operation with
 * the same fua flag are joined.
 */
import type { Bio, BioOperation, SectorNumber } from '../contract.ts';

/** A bio with those who wait for it. */
export interface QueuedBio {
  readonly bio: Bio;
  readonly queuedAtMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** One device call: bios of neighbouring sectors, in order of sector. FLUSHes join, too. */
export interface DeviceRequest {
  readonly operation: BioOperation;
  readonly fua: boolean;
  firstSector: SectorNumber;
  sectorCount: number;
  /** Buffers of all of them together, at most 1024. */
  bufferCount: number;
  bios: QueuedBio[];
}

export interface Elevator {
  readonly name: string;
  /** Requests waiting. */
  readonly length: number;
  /** Takes a bio. @returns true when it joined a waiting request. */
  add(bio: QueuedBio): boolean;
  /** Takes out the request to do next. */
  next(): DeviceRequest | undefined;
}
