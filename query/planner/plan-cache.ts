/**
 * Remembers which plan won a trial for each shape of query, so that the next query of that shape need not try all of them.
 *
 * Owns: entries per collection, in the order of their last use, and the index filters that clients set.
 * Invariants:
 *  1. An entry is used only while it is active: it was found twice, the second time with no more work than the first.
 *  2. Entries of a collection go when its indexes change. An entry names a plan; whoever uses it makes the plan anew from the
 *     query's own values, so a stale entry may be slow but never wrong.
 * Source: MongoDB's manual, "Query Plans"; figures are MongoDB 8.0's parameters.
 */
import { includesMultikeyPaths } from '../../bson/index.ts';
import type { CollectionDescription, CollectionUuid } from '../../storage/index.ts';

/** Entries of one collection, at most. */
const MAX_ENTRIES = 5000;
/** All entries of one server together, bytes, estimated. */
const ENTRY_BYTES = 1024;
/** A cached plan that takes this many times its works is given up (internalQueryCacheEvictionRatio). */
export const REPLAN_RATIO = 10;
/** An inactive entry's works grow by this factor when it is found slower than that (internalQueryCacheWorksGrowthCoefficient). */
const WORKS_GROWTH = 2;

/** The query that an entry was made for, as clients see it. */
export interface CachedQuery {
  readonly filter: Buffer;
  readonly sort: Buffer;
  readonly projection: Buffer;
  readonly collation: Buffer;
}

export interface CachedPlan {
  /** The winner's name among the candidates of its shape. */
  readonly id: string;
  readonly works: number;
  readonly isActive: boolean;
  readonly query: CachedQuery;
  /** Hash of the query's shape alone, eight hexadecimal digits. */
  readonly shapeHash: string;
  /** Hash of the shape and the indexes that can serve it. */
  readonly keyHash: string;
  readonly createdWallMs: number;
  readonly scores: readonly number[];
  /** The winning plan as explain shows it. */
  readonly shown: Buffer;
  /** How each candidate stood at the end of the trial; empty when that was too much to keep. */
  readonly trials: readonly Buffer[];
}

/** Indexes that a client allows for one shape of query. */
export interface IndexFilter {
  readonly query: CachedQuery;
  /** Names of indexes, or their key patterns. */
  readonly indexes: readonly (string | Buffer)[];
}

/** The plans and index filters of one collection. */
export class PlanCache {
  private readonly entries = new Map<string, CachedPlan>();
  private readonly indexFilters = new Map<string, IndexFilter>();
  private seen: CollectionDescription;

  constructor(collection: CollectionDescription) {
    this.seen = collection;
  }

  /** Forgets all plans when the indexes are not those that they were made with. */
  validateFor(collection: CollectionDescription): void {
    if (collection === this.seen) return;
    if (!sameIndexes(this.seen, collection)) this.entries.clear();
    this.seen = collection;
  }

  /** @returns the entry, active or not; it counts as used. */
  get(key: string): CachedPlan | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  /** Takes note of a trial's winner. */
  note(key: string, plan: Omit<CachedPlan, 'isActive'>): void {
    const known = this.entries.get(key);
    if (known === undefined) this.set(key, { ...plan, isActive: false });
    else if (known.isActive || plan.works <= known.works) {
      this.set(key, { ...plan, isActive: !known.isActive || plan.works <= known.works });
    } else {
      // Slower than the first time: the next trial may be slower still, within limits.
      this.set(key, { ...known, works: Math.ceil(known.works * WORKS_GROWTH) });
    }
  }

  /** A cached plan turned out too slow: the next query of its shape tries all plans again. */
  deactivate(key: string): void {
    const known = this.entries.get(key);
    if (known !== undefined) this.set(key, { ...known, isActive: false });
  }

  private set(key: string, plan: CachedPlan): void {
    this.entries.delete(key);
    this.entries.set(key, plan);
    if (this.entries.size <= MAX_ENTRIES) return;
    const oldest = this.entries.keys().next().value;
    if (oldest !== undefined) this.entries.delete(oldest);
  }

  /** Forgets the plans of one shape, or all. */
  clear(shape?: string): void {
    if (shape === undefined) this.entries.clear();
    for (const key of this.entries.keys()) {
      if (shape !== undefined && key.startsWith(`${shape}\n`)) this.entries.delete(key);
    }
  }

  plans(): Iterable<CachedPlan> {
    return this.entries.values();
  }

  get bytes(): number {
    return this.entries.size * ENTRY_BYTES;
  }

  get hasFilters(): boolean {
    return this.indexFilters.size > 0;
  }

  filterOf(shape: string): IndexFilter | undefined {
    return this.indexFilters.get(shape);
  }

  setFilter(shape: string, filter: IndexFilter): void {
    this.indexFilters.set(shape, filter);
    this.clear(shape);
  }

  /** Takes away the filter of one shape, or all. */
  clearFilters(shape?: string): void {
    if (shape === undefined) {
      this.indexFilters.clear();
      this.clear();
    } else if (this.indexFilters.delete(shape)) this.clear(shape);
  }

  filters(): Iterable<IndexFilter> {
    return this.indexFilters.values();
  }
}

function sameIndexes(a: CollectionDescription, b: CollectionDescription): boolean {
  if (a.indexes === b.indexes) return true;
  return (
    a.indexes.length === b.indexes.length &&
    a.indexes.every((index, position) => {
      const other = b.indexes[position];
      return (
        index === other ||
        (index.ident === other.ident &&
          index.ready === other.ready &&
          includesMultikeyPaths(other.multikeyPaths, index.multikeyPaths) &&
          includesMultikeyPaths(index.multikeyPaths, other.multikeyPaths) &&
          index.spec.equals(other.spec))
      );
    })
  );
}

/** Collections with a cache, at most: those of collections that are long gone must not stay for ever. */
const MAX_CACHES = 10_000;

/** The plan caches of all collections of one server. */
export class PlanCaches {
  private readonly caches = new Map<CollectionUuid, PlanCache>();

  /** undefined: nothing is cached, and no filter is set. */
  peek(collection: CollectionDescription): PlanCache | undefined {
    const cache = this.caches.get(collection.uuid);
    cache?.validateFor(collection);
    return cache;
  }

  /** Whether some queries of a collection may use some of its indexes only. */
  hasFilters(collection: CollectionUuid): boolean {
    return this.caches.get(collection)?.hasFilters === true;
  }

  of(collection: CollectionDescription): PlanCache {
    const known = this.peek(collection);
    if (known !== undefined) return known;
    const cache = new PlanCache(collection);
    this.caches.set(collection.uuid, cache);
    if (this.caches.size > MAX_CACHES) {
      for (const [uuid, oldest] of this.caches) {
        if (oldest.hasFilters) continue;
        this.caches.delete(uuid);
        break;
      }
    }
    return cache;
  }

  get bytes(): number {
    let total = 0;
    for (const cache of this.caches.values()) total += cache.bytes;
    return total;
  }
}
