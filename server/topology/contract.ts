/**
 * The topology: the small store of facts that a cluster agrees on. Who owns what stands in it, and who leads.
 *
 * Promises of every implementation:
 *  1. compareAndSet is atomic, and durable before it resolves. Of two that expect the same, one wins.
 *  2. A fact that get returned stays: it is not undone by a crash.
 *  3. A lease has at most one holder at a time, as far as clocks run alike; its term grows with every holder, so that what an earlier
 *     one still does can be told and refused (fencing).
 *  4. A watcher hears of every change made after it began to watch, in order, at least once.
 * A fact is a BSON document whose first field is its `_id`; facts of a kind are a *set*, which clients see as the collection
 * config.<set>. Two implementations: embedded in the one config server (config-server/topology), and etcd with a later version.
 * Suite: test/contracts/topology.ts.
 */
import type { RawValue } from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { MaybePromise } from '../../storage/index.ts';

export interface TopologyKey {
  /** "chunks" for what clients see as config.chunks. */
  readonly set: string;
  readonly id: RawValue;
}

/** What a change takes for granted: exactly this document, or (undefined) none. */
export interface Expectation {
  readonly key: TopologyKey;
  readonly value: Buffer | undefined;
}

export interface TopologyChange {
  readonly expected: readonly Expectation[];
  /** Documents that are written whole, and (undefined) removed. Their `_id` is the key's. */
  readonly puts: readonly Expectation[];
}

/** A change as a watcher hears of it. */
export type TopologyEvent = Expectation;

export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Greater than that of every earlier lease of this name. */
  readonly term: bigint;
  /** Prolongs it. @returns false when it is lost: another holder has it, or may have had it. */
  renew(): Promise<boolean>;
  /** Gives it back at once. Idempotent. */
  release(): Promise<void>;
}

export interface LeaseRequest {
  readonly name: string;
  /** Who asks. A holder that asks again (after its own restart) gets it at once, with a new term. */
  readonly holder: string;
  /** It is free for others so long after the last renewal, milliseconds. */
  readonly ttlMs: number;
  /** What for, for who reads it. */
  readonly why: string;
}

export interface Topology {
  get(key: TopologyKey): MaybePromise<Buffer | undefined>;
  /** All of a set, in no order. Only for small sets. */
  list(set: string): MaybePromise<readonly Buffer[]>;
  /**
   * @returns false when something was not as expected; nothing has changed then.
   * @throws the interruption's reason, before anything has changed
   */
  compareAndSet(change: TopologyChange, interruption: Interruption): Promise<boolean>;
  /** @returns ends the watch */
  watch(set: string, listener: (event: TopologyEvent) => void): () => void;
  /** @returns undefined while another holder has it */
  lease(request: LeaseRequest): Promise<Lease | undefined>;
}
