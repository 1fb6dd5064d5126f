/**
 * The way of every block to and from a device: a bounded queue in front of it.
 *
 * Owns: the bios between submit and acknowledgement, and their statistics. Nobody else calls Device.execute.
 * Invariants:
 *  1. At most `depth` calls are in flight on the device, at most `limit` bios between elevator and device; whoever comes
 *     on top waits at the gate, in order.
 *  2. Each bio is acknowledged once, with the outcome of the device call that carried it.
 *  3. Bios in the queue together reach the device in any order: who needs an order awaits an acknowledgement.
 * Tests: test/storage/device/request-queue.test.ts.
 */
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import { readBio } from './bio.ts';
import type { Bio, Device, SectorNumber } from './contract.ts';
import type { DeviceRequest, Elevator, QueuedBio } from './elevators/elevator.ts';
import { createElevator, type ElevatorName } from './elevators/elevators.ts';
import { QueueCounters, type RequestQueueStatistics } from './queue-counters.ts';

export interface RequestQueueOptions {
  readonly clock: Clock;
  /** Device calls in flight at most; default 32. */
  readonly depth?: number;
  /** Bios queued and in flight at most; default 1024. */
  readonly limit?: number;
  /** Longest device call that merging may make, bytes; default 1 MiB. */
  readonly mostMergedBytes?: number;
  /** Default: noop. */
  readonly elevator?: ElevatorName;
  /** Where it counts; default: counters of its own. */
  readonly counters?: QueueCounters;
}

export class RequestQueue {
  readonly device: Device;
  private readonly clock: Clock;
  private readonly elevator: Elevator;
  private readonly depth: number;
  private readonly limit: number;
  private readonly gate: QueuedBio[] = [];
  private readonly counters: QueueCounters;
  private plugs = 0;
  private callsInFlight = 0;
  /** Bios between elevator and device. */
  private pending = 0;
  private roomWaiters: (() => void)[] = [];
  private idleWaiters: (() => void)[] = [];

  constructor(device: Device, options: RequestQueueOptions) {
    this.device = device;
    this.clock = options.clock;
    this.counters = options.counters ?? new QueueCounters();
    this.depth = options.depth ?? 32;
    this.limit = options.limit ?? 1024;
    const mostMergedBytes = options.mostMergedBytes ?? 1024 * 1024;
    this.elevator = createElevator(options.elevator ?? 'noop', {
      clock: options.clock,
      mostMergedSectors: mostMergedBytes / device.sectorBytes,
    });
    invariant(this.depth >= 1, 'request queue: depth must be at least 1');
    invariant(this.limit >= this.depth, 'request queue: limit is below depth');
  }

  /** Hands over one bio. Resolves or rejects (DeviceError) when the device acknowledged it. */
  submit(bio: Bio): Promise<void> {
    return new Promise((resolve, reject) => {
      const queued = { bio, queuedAtMs: this.clock.monotonicMs(), resolve, reject };
      if (this.pending < this.limit) {
        this.enter(queued);
        this.dispatch();
      } else {
        this.counters.gateWaits += 1;
        this.gate.push(queued);
      }
    });
  }

  /**
   * Holds bios back, so that neighbours submitted before unplug() are merged. Plugs nest. Plug and unplug within one
   * synchronous stretch: everybody's requests wait meanwhile.
   */
  plug(): void {
    this.plugs += 1;
  }

  unplug(): void {
    invariant(this.plugs > 0, 'request queue: unplugged without a plug');
    this.plugs -= 1;
    this.dispatch();
  }

  /** Set while the queue is more than half full: who produces bios in a stream awaits it before going on. */
  get pressure(): Promise<void> | undefined {
    if (this.pending * 2 <= this.limit) return undefined;
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  /** Reads on the calling thread, past the queue: for a single cold page, whose hop would cost more. @throws DeviceError */
  readSync(firstSector: SectorNumber, buffers: readonly Buffer[]): void {
    const bio = readBio(this.device, firstSector, buffers);
    const startMs = this.clock.monotonicMs();
    const counters = this.counters.operations.READ;
    counters.calls += 1;
    try {
      this.device.executeSync(bio);
    } catch (error) {
      counters.errors += 1;
      throw error;
    }
    counters.bios += 1;
    counters.bytes += bio.sectorCount * this.device.sectorBytes;
    counters.latency.add(this.clock.monotonicMs() - startMs);
  }

  /** Resolves when nothing is queued or in flight. */
  async idle(): Promise<void> {
    while (this.pending > 0) {
      await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    }
  }

  get statistics(): RequestQueueStatistics {
    return this.counters.statistics(this.elevator.name);
  }

  private enter(queued: QueuedBio): void {
    this.pending += 1;
    this.counters.enter();
    if (this.elevator.add(queued)) this.counters.merges += 1;
  }

  private dispatch(): void {
    while (this.plugs === 0 && this.callsInFlight < this.depth) {
      const request = this.elevator.next();
      if (request === undefined) return;
      this.callsInFlight += 1;
      this.counters.operations[request.operation].calls += 1;
      void this.run(request);
    }
  }

  /** Carries out one device call and acknowledges its bios. Never rejects. */
  private async run(request: DeviceRequest): Promise<void> {
    try {
      await this.device.execute(bioOf(request));
      for (const queued of request.bios) this.acknowledge(queued, undefined);
    } catch (error) {
      // A damaged block must fail the reader of that block alone. Writes are never tried again: after a failed write
      // through the system's cache a second one may succeed without the data being on the disk.
      if (request.operation === 'READ' && request.bios.length > 1) await this.runAlone(request);
      else for (const queued of request.bios) this.acknowledge(queued, error);
    }
    this.callsInFlight -= 1;
    this.admit();
    this.dispatch();
  }

  private async runAlone(request: DeviceRequest): Promise<void> {
    for (const queued of request.bios) {
      this.counters.operations[request.operation].calls += 1;
      try {
        await this.device.execute(queued.bio);
        this.acknowledge(queued, undefined);
      } catch (error) {
        this.acknowledge(queued, error);
      }
    }
  }

  private acknowledge(queued: QueuedBio, error: unknown): void {
    const counters = this.counters.operations[queued.bio.operation];
    this.pending -= 1;
    this.counters.leave();
    counters.latency.add(this.clock.monotonicMs() - queued.queuedAtMs);
    if (error === undefined) {
      counters.bios += 1;
      counters.bytes += queued.bio.sectorCount * this.device.sectorBytes;
      queued.resolve();
    } else {
      counters.errors += 1;
      queued.reject(error);
    }
  }

  /** Lets bios from the gate in, and tells waiters of room and rest. */
  private admit(): void {
    while (this.pending < this.limit) {
      const queued = this.gate.shift();
      if (queued === undefined) break;
      this.enter(queued);
    }
    if (this.pending * 2 <= this.limit) this.roomWaiters = wake(this.roomWaiters);
    if (this.pending === 0) this.idleWaiters = wake(this.idleWaiters);
  }
}

function wake(waiters: (() => void)[]): (() => void)[] {
  for (const waiter of waiters) waiter();
  return [];
}

/** The one bio of a device call. Buffers that lie behind each other in memory become one. */
function bioOf(request: DeviceRequest): Bio {
  const first = request.bios[0];
  invariant(first !== undefined, 'request queue: request without bios');
  if (request.bios.length === 1) return first.bio;
  const buffers: Buffer[] = [];
  for (const { bio } of request.bios) {
    for (const buffer of bio.buffers) appendBuffer(buffers, buffer);
  }
  const { operation, firstSector, sectorCount, fua } = request;
  return { operation, firstSector, sectorCount, buffers, fua };
}

function appendBuffer(buffers: Buffer[], buffer: Buffer): void {
  const last = buffers.at(-1);
  const follows =
    last !== undefined &&
    last.buffer === buffer.buffer &&
    last.byteOffset + last.length === buffer.byteOffset;
  if (!follows) {
    buffers.push(buffer);
    return;
  }
  const joined = Buffer.from(last.buffer, last.byteOffset, last.length + buffer.length);
  buffers[buffers.length - 1] = joined;
}
