/**
 * The elevator for disks that seek: requests in order of sector, reads before writes, and nobody waits for ever.
 *
 * Requests go out in batches of one direction, rising by sector from where the last one ended. A batch of reads comes before
 * one of writes, unless writes were passed over twice already, or have none to compete with. A direction whose oldest
 * request has waited past its expiry begins its batch there. A FLUSH goes first, because somebody waits for it and it moves
 * no head; a DISCARD goes when nothing else waits, or at its expiry.
 * Source: the Linux kernel's documentation, "Deadline IO scheduler tunables", whose numbers these are.
 */
import type { Clock } from '../../../common/clock.ts';
import type { DeviceRequest, Elevator, QueuedBio } from './elevator.ts';
import { WaitingRequests, type WaitingRequestsOptions } from './waiting-requests.ts';

/** How long a request may wait before its sector no longer counts, milliseconds. */
const EXPIRY_MS = { READ: 500, WRITE: 5_000, DISCARD: 5_000 } as const;
/** Requests in a row of one direction. */
const BATCH_REQUESTS = 16;
/** Batches of reads that may pass writes by. */
const MOST_PASSED_OVER = 2;

type Direction = 'READ' | 'WRITE';

export class DeadlineElevator implements Elevator {
  readonly name = 'deadline';
  private readonly clock: Clock;
  private readonly flushes: WaitingRequests;
  private readonly discards: WaitingRequests;
  private readonly directions: Readonly<Record<Direction, SortedRequests>>;
  private direction: Direction = 'READ';
  /** Requests that the present batch may still take. */
  private batchLeft = 0;
  /** How often in a row reads went before waiting writes. */
  private passedOver = 0;

  constructor(clock: Clock, options: WaitingRequestsOptions) {
    this.clock = clock;
    this.flushes = new WaitingRequests(options);
    this.discards = new WaitingRequests(options);
    this.directions = { READ: new SortedRequests(options), WRITE: new SortedRequests(options) };
  }

  get length(): number {
    const { READ, WRITE } = this.directions;
    return this.flushes.length + this.discards.length + READ.length + WRITE.length;
  }

  add(queued: QueuedBio): boolean {
    const { operation } = queued.bio;
    if (operation === 'FLUSH') return this.flushes.add(queued).joined;
    if (operation === 'DISCARD') return this.discards.add(queued).joined;
    return this.directions[operation].add(queued);
  }

  next(): DeviceRequest | undefined {
    return take(this.flushes) ?? this.expiredDiscard() ?? this.nextData() ?? take(this.discards);
  }

  private expiredDiscard(): DeviceRequest | undefined {
    const { oldest } = this.discards;
    if (oldest === undefined || !this.hasExpired(oldest, EXPIRY_MS.DISCARD)) return undefined;
    return take(this.discards);
  }

  private nextData(): DeviceRequest | undefined {
    const current = this.directions[this.direction];
    if (this.batchLeft > 0) {
      const following = current.takeFollowing();
      if (following !== undefined) {
        this.batchLeft -= 1;
        return following;
      }
    }
    return this.beginBatch();
  }

  private beginBatch(): DeviceRequest | undefined {
    const { READ, WRITE } = this.directions;
    if (READ.length + WRITE.length === 0) return undefined;
    const writesWait = WRITE.length > 0;
    const readsGoFirst = READ.length > 0 && (!writesWait || this.passedOver < MOST_PASSED_OVER);
    this.direction = readsGoFirst ? 'READ' : 'WRITE';
    this.passedOver = readsGoFirst && writesWait ? this.passedOver + 1 : 0;
    this.batchLeft = BATCH_REQUESTS - 1;
    const chosen = this.directions[this.direction];
    const { oldest } = chosen;
    if (oldest !== undefined && this.hasExpired(oldest, EXPIRY_MS[this.direction])) {
      return chosen.take(oldest);
    }
    return chosen.takeFollowing() ?? chosen.takeLowest();
  }

  private hasExpired({ bios }: DeviceRequest, expiryMs: number): boolean {
    const oldestMs = Math.min(...bios.map(({ queuedAtMs }) => queuedAtMs));
    return this.clock.monotonicMs() - oldestMs >= expiryMs;
  }
}

function take(requests: WaitingRequests): DeviceRequest | undefined {
  const { oldest } = requests;
  if (oldest !== undefined) requests.remove(oldest);
  return oldest;
}

/** The requests of one direction, in order of sector. */
class SortedRequests {
  private readonly requests: WaitingRequests;
  /** By first sector. At most a queue's limit of bios: insertion moves a few kilobytes. */
  private readonly sorted: DeviceRequest[] = [];
  /** Where the last one taken ended. */
  private position = 0;

  constructor(options: WaitingRequestsOptions) {
    this.requests = new WaitingRequests(options);
  }

  get length(): number {
    return this.requests.length;
  }

  get oldest(): DeviceRequest | undefined {
    return this.requests.oldest;
  }

  /** @returns true when it joined a waiting request */
  add(queued: QueuedBio): boolean {
    const { request, joined } = this.requests.add(queued);
    const beginsThere = request.firstSector === queued.bio.firstSector;
    if (joined && !beginsThere) return true;
    // Joined in front: where reads overlap, another one may begin in between.
    if (joined) this.sorted.splice(this.sorted.indexOf(request), 1);
    this.sorted.splice(this.placeOf(request.firstSector), 0, request);
    return joined;
  }

  /** The next one that begins at or behind where the last one ended. */
  takeFollowing(): DeviceRequest | undefined {
    const following = this.sorted[this.placeOf(this.position)];
    return following === undefined ? undefined : this.take(following);
  }

  takeLowest(): DeviceRequest | undefined {
    const lowest = this.sorted[0];
    return lowest === undefined ? undefined : this.take(lowest);
  }

  take(request: DeviceRequest): DeviceRequest {
    this.sorted.splice(this.sorted.indexOf(request), 1);
    this.requests.remove(request);
    this.position = request.firstSector + request.sectorCount;
    return request;
  }

  /** Where a request that begins at `sector` stands, or would: before all that begin there or behind. */
  private placeOf(sector: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle].firstSector < sector) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
