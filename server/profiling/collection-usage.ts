/**
 * Time and number of operations per collection: what `top` shows.
 *
 * Owns: the counters, from the start of the server on. Source: MongoDB's manual, "top".
 */

export interface UsageCounter {
  micros: number;
  count: number;
}

export interface NamespaceUsage {
  readonly total: UsageCounter;
  readonly readLock: UsageCounter;
  readonly writeLock: UsageCounter;
  readonly queries: UsageCounter;
  readonly getmore: UsageCounter;
  readonly insert: UsageCounter;
  readonly update: UsageCounter;
  readonly remove: UsageCounter;
  readonly commands: UsageCounter;
}

export type UsageKind = 'queries' | 'getmore' | 'insert' | 'update' | 'remove' | 'commands';

/** Namespaces that are counted one by one: a client that makes up names must not fill the memory. */
const MAX_NAMESPACES = 10_000;

export class CollectionUsage {
  private readonly namespaces = new Map<string, NamespaceUsage>();
  /** Its drop is counted when it is over, and must not bring it back. */
  private lastForgotten: string | undefined;

  /** @param micros how long the operation took. */
  add(namespace: string, kind: UsageKind, isWrite: boolean, micros: number): void {
    let usage = this.namespaces.get(namespace);
    if (usage === undefined) {
      if (this.isOwnDrop(namespace, kind)) return;
      if (this.namespaces.size >= MAX_NAMESPACES) return;
      usage = newUsage();
      this.namespaces.set(namespace, usage);
    }
    count(usage.total, micros);
    count(isWrite ? usage.writeLock : usage.readLock, micros);
    count(usage[kind], micros);
  }

  /** The collection is gone. */
  forget(namespace: string): void {
    this.namespaces.delete(namespace);
    this.lastForgotten = namespace;
  }

  all(): ReadonlyMap<string, NamespaceUsage> {
    return this.namespaces;
  }

  private isOwnDrop(namespace: string, kind: UsageKind): boolean {
    if (kind !== 'commands' || namespace !== this.lastForgotten) return false;
    this.lastForgotten = undefined;
    return true;
  }
}

function count(counter: UsageCounter, micros: number): void {
  counter.micros += micros;
  counter.count += 1;
}

function newUsage(): NamespaceUsage {
  const zero = (): UsageCounter => ({ micros: 0, count: 0 });
  return {
    total: zero(),
    readLock: zero(),
    writeLock: zero(),
    queries: zero(),
    getmore: zero(),
    insert: zero(),
    update: zero(),
    remove: zero(),
    commands: zero(),
  };
}
