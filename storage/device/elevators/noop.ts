/**
 * The elevator for flash: first in, first out, and neighbours become one device call.
 *
 * A new bio is joined to the request behind or before which it lies, wherever that one waits in the queue, as Linux's
 * elevators do: on flash one call of 16 blocks costs little more than one of a single block.
 */
import type { DeviceRequest, Elevator, QueuedBio } from './elevator.ts';
import { WaitingRequests, type WaitingRequestsOptions } from './waiting-requests.ts';

export class NoopElevator implements Elevator {
  readonly name = 'noop';
  private readonly requests: WaitingRequests;

  constructor(options: WaitingRequestsOptions) {
    this.requests = new WaitingRequests(options);
  }

  get length(): number {
    return this.requests.length;
  }

  add(queued: QueuedBio): boolean {
    return this.requests.add(queued).joined;
  }

  next(): DeviceRequest | undefined {
    const { oldest } = this.requests;
    if (oldest !== undefined) this.requests.remove(oldest);
    return oldest;
  }
}
