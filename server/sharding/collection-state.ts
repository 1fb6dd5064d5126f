/**
 * What a shard knows of one collection: its chunks, who writes to it, and whether a migration holds writers back.
 *
 * Owns: the count of writers under way and the critical section. Invariants:
 *  1. A writer that was let in by a version ends before the critical section begins: until then the version holds.
 *  2. While the critical section is on no writer is let in, and in its second half no reader.
 *  3. What was known stays usable for the plans that were opened with it.
 */
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { Ownership } from '../../query/index.ts';
import type { CollectionRouting } from './routing.ts';
import { ShardVersion } from './shard-version.ts';

/** A collection as this shard knew it at one time. Immutable but for the count of its users. */
export class KnownCollection {
  /** undefined: it is not sharded. */
  readonly routing: CollectionRouting | undefined;
  /** Of this shard. */
  readonly version: ShardVersion;
  readonly ownership: Ownership | undefined;
  private users = 0;

  constructor(routing: CollectionRouting | undefined, shardName: string) {
    this.routing = routing;
    this.version = routing?.chunks.versionOf(shardName) ?? ShardVersion.UNSHARDED;
    this.ownership = routing === undefined ? undefined : this.ownershipBy(routing, shardName);
  }

  get isUnsharded(): boolean {
    return this.routing === undefined;
  }

  /** Operations that were let in by it, or plans that filter by it, go on. */
  get isUsed(): boolean {
    return this.users > 0;
  }

  /** What whoever was let in by it may see is not removed until then. @returns ends that */
  use(): () => void {
    this.users += 1;
    return () => {
      this.users -= 1;
    };
  }

  /** Nothing else would be known from this: the versions of a generation grow with every change. */
  isStill(routing: CollectionRouting | undefined): boolean {
    if (this.routing === undefined || routing === undefined) return this.routing === routing;
    const isSame = this.routing.entry.uuid === routing.entry.uuid;
    return isSame && this.routing.chunks.version.equals(routing.chunks.version);
  }

  private ownershipBy({ entry, chunks }: CollectionRouting, shardName: string): Ownership {
    return {
      namespace: entry.namespace,
      owns: (document) => {
        try {
          return chunks.chunkOf(entry.pattern.keyOf(document).text).shard === shardName;
        } catch (error) {
          // Without a valid key it belongs nowhere.
          if (error instanceof CommandError) return false;
          throw error;
        }
      },
      use: () => this.use(),
    };
  }
}

/** Nobody writes until it is released. */
export interface CriticalSection {
  /** From now on nobody reads either. */
  blockReads(): void;
  /** Idempotent. */
  release(): void;
}

interface Held {
  readonly ended: Promise<void>;
  blocksReads: boolean;
}

export class CollectionState {
  private current: KnownCollection | undefined;
  private readonly earlier = new Set<KnownCollection>();
  private writers = 0;
  private drained: (() => void) | undefined;
  private held: Held | undefined;

  /** undefined: it has to be read from the config server. */
  get known(): KnownCollection | undefined {
    return this.current;
  }

  set known(next: KnownCollection | undefined) {
    this.forgetUnused();
    if (this.current?.isUsed === true) this.earlier.add(this.current);
    this.current = next;
  }

  /** Operations or plans go on that may still want documents of this collection which have gone to other shards. */
  earlierIsUsed(uuid: string): boolean {
    this.forgetUnused();
    for (const { routing } of this.earlier) {
      // Whoever began before it was sharded reads the same documents.
      if (routing === undefined || routing.entry.uuid === uuid) return true;
    }
    return false;
  }

  private forgetUnused(): void {
    for (const known of this.earlier) if (!known.isUsed) this.earlier.delete(known);
  }

  /** Resolves when who is held back may look again; undefined: nobody is. */
  blocks(isWrite: boolean): Promise<void> | undefined {
    if (this.held === undefined || (!isWrite && !this.held.blocksReads)) return undefined;
    return this.held.ended;
  }

  /** @returns to be called when the write is over */
  enterWrite(): () => void {
    invariant(this.held === undefined, 'collection-state 2: a writer in the critical section');
    this.writers += 1;
    return () => {
      this.writers -= 1;
      if (this.writers === 0) this.drained?.();
    };
  }

  /**
   * Holds new writers back and waits for those under way.
   * @param within waits for a promise as long as the caller wants to
   * @throws what `within` throws; writers go on then. CommandError ConflictingOperationInProgress when another one holds it
   */
  async enterCriticalSection(
    within: (drained: Promise<void>) => Promise<void>,
  ): Promise<CriticalSection> {
    if (this.held !== undefined) {
      throw new CommandError(
        'ConflictingOperationInProgress',
        'Another operation changes the placement of this collection',
      );
    }
    let end = (): void => {};
    const held: Held = {
      ended: new Promise((resolve) => {
        end = resolve;
      }),
      blocksReads: false,
    };
    this.held = held;
    const release = (): void => {
      if (this.held !== held) return;
      this.held = undefined;
      end();
    };
    try {
      if (this.writers > 0) {
        await within(
          new Promise((resolve) => {
            this.drained = resolve;
          }),
        );
      }
    } catch (error) {
      release();
      throw error;
    } finally {
      this.drained = undefined;
    }
    return {
      blockReads: () => {
        held.blocksReads = true;
      },
      release,
    };
  }
}
