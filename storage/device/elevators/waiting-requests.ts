/**
 * Joins bios of neighbouring sectors into one device call: what every elevator does, whatever its order.
 *
 * Owns: the requests that wait, by where they begin and end, and in the order in which they came.
 * Promises: a bio is joined to a request of its own operation and fua flag alone, and to one that stays within what a
 * device call may carry.
 */
import { movesData } from '../bio.ts';
import type { BioOperation } from '../contract.ts';
import type { DeviceRequest, QueuedBio } from './elevator.ts';

/** A vector call takes at most this many buffers (IOV_MAX). */
const MOST_BUFFERS = 1024;

export interface WaitingRequestsOptions {
  /** Longest request that joining may make, sectors. A single bio may be longer. */
  readonly mostMergedSectors: number;
}

export class WaitingRequests {
  private readonly mostMergedSectors: number;
  // A set keeps the order of insertion and takes out its first in constant time, unlike Array.shift.
  private readonly waiting = new Set<DeviceRequest>();
  /** Requests by operation and the sector behind their last: a bio that begins there joins at the end. */
  private readonly byEnd = new Map<string, DeviceRequest>();
  /** Requests by operation and their first sector: a bio that ends there joins at the front. */
  private readonly byStart = new Map<string, DeviceRequest>();

  constructor(options: WaitingRequestsOptions) {
    this.mostMergedSectors = options.mostMergedSectors;
  }

  get length(): number {
    return this.waiting.size;
  }

  /** The one that has waited longest. */
  get oldest(): DeviceRequest | undefined {
    for (const request of this.waiting) return request;
    return undefined;
  }

  [Symbol.iterator](): Iterator<DeviceRequest> {
    return this.waiting.values();
  }

  /** Joins the bio to a waiting request, or makes a request of it. @returns the request, and whether it was there before */
  add(queued: QueuedBio): { readonly request: DeviceRequest; readonly joined: boolean } {
    const { bio } = queued;
    const before = this.byEnd.get(placeKey(bio.operation, bio.fua, bio.firstSector));
    if (before !== undefined && this.fits(before, queued)) {
      this.forget(before);
      before.bios.push(queued);
      this.enlarge(before, queued);
      return { request: before, joined: true };
    }
    const behind = this.byStart.get(
      placeKey(bio.operation, bio.fua, bio.firstSector + bio.sectorCount),
    );
    if (behind !== undefined && movesData(bio.operation) && this.fits(behind, queued)) {
      this.forget(behind);
      behind.bios.unshift(queued);
      behind.firstSector = bio.firstSector;
      this.enlarge(behind, queued);
      return { request: behind, joined: true };
    }
    const request: DeviceRequest = {
      operation: bio.operation,
      fua: bio.fua,
      firstSector: bio.firstSector,
      sectorCount: bio.sectorCount,
      bufferCount: bio.buffers.length,
      bios: [queued],
    };
    this.waiting.add(request);
    this.remember(request);
    return { request, joined: false };
  }

  /** Takes one out: nothing joins it any more. */
  remove(request: DeviceRequest): void {
    this.waiting.delete(request);
    this.forget(request);
  }

  private fits(request: DeviceRequest, { bio }: QueuedBio): boolean {
    return (
      request.sectorCount + bio.sectorCount <= this.mostMergedSectors &&
      request.bufferCount + bio.buffers.length <= MOST_BUFFERS
    );
  }

  private enlarge(request: DeviceRequest, { bio }: QueuedBio): void {
    request.sectorCount += bio.sectorCount;
    request.bufferCount += bio.buffers.length;
    this.remember(request);
  }

  private remember(request: DeviceRequest): void {
    const { operation, fua, firstSector, sectorCount } = request;
    this.byEnd.set(placeKey(operation, fua, firstSector + sectorCount), request);
    this.byStart.set(placeKey(operation, fua, firstSector), request);
  }

  private forget(request: DeviceRequest): void {
    const { operation, fua, firstSector, sectorCount } = request;
    const end = placeKey(operation, fua, firstSector + sectorCount);
    if (this.byEnd.get(end) === request) this.byEnd.delete(end);
    const start = placeKey(operation, fua, firstSector);
    if (this.byStart.get(start) === request) this.byStart.delete(start);
  }
}

/** FLUSHes lie at sector 0 with no length, so that they find each other by the same key. */
function placeKey(operation: BioOperation, fua: boolean, sector: number): string {
  return `${operation}${fua ? '!' : ':'}${sector}`;
}
