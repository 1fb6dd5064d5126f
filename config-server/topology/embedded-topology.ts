/**
 * The topology in the config server's own storage: each set is the collection config.<set>, readable with any client.
 *
 * Owns: the transactions in which facts change, and the list of watchers. A transaction of the engine is atomic and sees conflicts, so
 * comparing within it is the compare-and-set; what it wrote is on the device before anybody is told.
 * Leases stand in config.locks, with their term and the wall-clock time until which they hold.
 */
import {
  BsonType,
  dateValue,
  documentOf,
  encodeIndexKey,
  getField,
  int64Value,
  objectIdValue,
  stringValue,
} from '../../bson/index.ts';
import type { Clock } from '../../common/clock.ts';
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import type {
  Expectation,
  Lease,
  LeaseRequest,
  Topology,
  TopologyChange,
  TopologyEvent,
  TopologyKey,
} from '../../server/index.ts';
import {
  WriteConflictError,
  type CollectionDescription,
  type CommitNumber,
  type MaybePromise,
  type ReadView,
  type RecordId,
  type StorageEngine,
  type Transaction,
} from '../../storage/index.ts';

export interface EmbeddedTopologyOptions {
  readonly engine: StorageEngine;
  readonly clock: Clock;
  /** Twelve bytes that no other call gives. */
  readonly newObjectId: () => Buffer;
}

const LEASE_SET = 'locks';
/** MongoDB's number for a lock that is held. */
const HELD = 2;

export class EmbeddedTopology implements Topology {
  private readonly engine: StorageEngine;
  private readonly clock: Clock;
  private readonly newObjectId: () => Buffer;
  private readonly watchers = new Map<string, Set<(event: TopologyEvent) => void>>();
  /** Of changes that are committed and not yet told: watchers hear of them in order. */
  private telling: Promise<void> = Promise.resolve();

  constructor({ engine, clock, newObjectId }: EmbeddedTopologyOptions) {
    this.engine = engine;
    this.clock = clock;
    this.newObjectId = newObjectId;
  }

  /** Waits until what it found is durable (topology 2). */
  async get(key: TopologyKey): Promise<Buffer | undefined> {
    return this.read(async (view) => (await find(view, key))?.document);
  }

  list(set: string): Promise<readonly Buffer[]> {
    return this.read(async (view) => {
      const collection = view.collection(namespaceOf(set));
      const found: Buffer[] = [];
      if (collection === undefined) return found;
      const cursor = view.scanRecords(collection);
      try {
        while (await cursor.next()) found.push(Buffer.from(cursor.document));
      } finally {
        cursor.close();
      }
      return found;
    });
  }

  async compareAndSet(change: TopologyChange, interruption: Interruption): Promise<boolean> {
    for (;;) {
      await this.engine.admitWrite(interruption);
      interruption.throwIfInterrupted();
      const transaction = this.engine.begin({ makesKeys: true });
      try {
        for (const { key, value } of change.expected) {
          const found = await find(transaction, key);
          if (!sameValue(found?.document, value)) return false;
        }
        for (const put of change.puts) await write(transaction, put);
        interruption.throwIfInterrupted();
        await this.announce(transaction.commit(), change.puts);
        return true;
      } catch (error) {
        if (!(error instanceof WriteConflictError)) throw error;
        transaction.close();
        await error.blocker;
      } finally {
        transaction.close();
      }
    }
  }

  watch(set: string, listener: (event: TopologyEvent) => void): () => void {
    const listeners = this.watchers.get(set) ?? new Set();
    this.watchers.set(set, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  async lease(request: LeaseRequest): Promise<Lease | undefined> {
    const key: TopologyKey = { set: LEASE_SET, id: stringValue(request.name) };
    const before = await this.get(key);
    if (before !== undefined && !this.isFree(before, request.holder)) return undefined;
    const term = before === undefined ? 1n : termOf(before) + 1n;
    const document = this.leaseDocument(request, term);
    const expected = [{ key, value: before }];
    const puts = [{ key, value: document }];
    if (!(await this.compareAndSet({ expected, puts }, uninterruptible))) return undefined;
    return this.held(request, { key, term, document });
  }

  private held(
    request: LeaseRequest,
    { key, term, document }: { key: TopologyKey; term: bigint; document: Buffer },
  ): Lease {
    let current: Buffer | undefined = document;
    const replace = async (value: Buffer): Promise<boolean> => {
      if (current === undefined) return false;
      const expected = [{ key, value: current }];
      const isOurs = await this.compareAndSet(
        { expected, puts: [{ key, value }] },
        uninterruptible,
      );
      current = isOurs ? value : undefined;
      return isOurs;
    };
    return {
      name: request.name,
      holder: request.holder,
      term,
      renew: async () => {
        // Whoever comes too late may have been replaced, and that one replaced again.
        if (current !== undefined && untilMs(current) < this.clock.wallMs()) current = undefined;
        return replace(this.leaseDocument(request, term));
      },
      release: async () => {
        await replace(this.leaseDocument({ ...request, ttlMs: 0 }, term, true));
        current = undefined;
      },
    };
  }

  private isFree(lock: Buffer, holder: string): boolean {
    if (getField(lock, 'state')?.asNumber() !== HELD) return true;
    if (getField(lock, 'process')?.asString() === holder) return true;
    return untilMs(lock) < this.clock.wallMs();
  }

  private leaseDocument(request: LeaseRequest, term: bigint, isReleased = false): Buffer {
    const nowMs = this.clock.wallMs();
    return documentOf({
      _id: request.name,
      state: isReleased ? 0 : HELD,
      process: request.holder,
      ts: objectIdValue(this.newObjectId()),
      when: dateValue(nowMs),
      who: request.holder,
      why: request.why,
      term: int64Value(term),
      until: dateValue(nowMs + request.ttlMs),
    });
  }

  private async read<Result>(body: (view: ReadView) => Promise<Result>): Promise<Result> {
    const view = this.engine.snapshot();
    try {
      const result = await body(view);
      await this.engine.flushed(view.commitNumber);
      return result;
    } finally {
      view.close();
    }
  }

  /** Called in the same step as the commit, so that watchers hear of changes in the order of their commits. */
  private announce(commit: CommitNumber, puts: readonly Expectation[]): Promise<void> {
    const told = this.telling.then(async () => {
      await this.engine.flushed(commit);
      for (const put of puts) this.tell(put);
    });
    this.telling = told.catch(() => {});
    return told;
  }

  private tell(event: TopologyEvent): void {
    const listeners = this.watchers.get(event.key.set);
    if (listeners !== undefined) for (const listener of listeners) listener(event);
  }
}

interface Found {
  readonly collection: CollectionDescription;
  readonly recordId: RecordId;
  readonly document: Buffer;
}

function namespaceOf(set: string): string {
  return `config.${set}`;
}

function find(view: ReadView, { set, id }: TopologyKey): MaybePromise<Found | undefined> {
  const collection = view.collection(namespaceOf(set));
  if (collection === undefined) return undefined;
  const [idIndex] = collection.indexes;
  const recordId = view.uniqueRecordId(idIndex, encodeIndexKey([id], [1]).key);
  if (recordId === undefined) return undefined;
  const whole = (document: Buffer | undefined): Found | undefined =>
    document === undefined ? undefined : { collection, recordId, document };
  const document = view.record(collection, recordId);
  return document instanceof Promise ? document.then(whole) : whole(document);
}

async function write(transaction: Transaction, { key, value }: Expectation): Promise<void> {
  const namespace = namespaceOf(key.set);
  const found = await find(transaction, key);
  if (value === undefined) {
    if (found !== undefined) transaction.delete(found.collection, found.recordId, found.document);
    return;
  }
  if (found !== undefined) {
    transaction.update(found.collection, found.recordId, found.document, value);
    return;
  }
  const collection = transaction.collection(namespace) ?? transaction.createCollection(namespace);
  transaction.insert(collection, value);
}

function sameValue(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}

function termOf(lock: Buffer): bigint {
  const term = getField(lock, 'term');
  return term?.type === BsonType.int64 ? term.asInt64() : 0n;
}

function untilMs(lock: Buffer): number {
  const until = getField(lock, 'until');
  return until?.type === BsonType.date ? until.asDateMs() : 0;
}
