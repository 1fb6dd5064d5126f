/**
 * What the server remembers of capped collections besides their options: where each begins, and who waits for its next
 * document.
 *
 * Owns: hints and waiters, both lost without harm. A hint spares an insert the walk over records that were removed before;
 * a waiter is told of every commit that added a document, and costs nothing in between.
 */
import { getField } from '../../bson/index.ts';
import type {
  CollectionDescription,
  CollectionUuid,
  CommitNumber,
  Ident,
  RecordId,
} from '../../storage/index.ts';

/** How much a capped collection holds. */
export interface CappedLimits {
  /** Sum of the documents' sizes. */
  readonly bytes: number;
  /** Infinity when only the size counts. */
  readonly count: number;
}

/** undefined for a collection that is not capped. */
export function cappedLimitsOf(options: Buffer): CappedLimits | undefined {
  if (getField(options, 'capped')?.isTruthy() !== true) return undefined;
  return {
    bytes: getField(options, 'size')?.asNumber() ?? Infinity,
    count: getField(options, 'max')?.asNumber() ?? Infinity,
  };
}

interface Head {
  /** All records up to this one are gone. */
  readonly before: RecordId;
  /** ... in every state of the store from this one on. */
  readonly since: CommitNumber;
}

export class CappedCollections {
  private readonly heads = new Map<Ident, Head>();
  private readonly waiters = new Map<CollectionUuid, Set<() => void>>();

  /** The record after which a scan may begin in a view of `commitNumber`; undefined: at the beginning. */
  headBefore(collection: CollectionDescription, commitNumber: CommitNumber): RecordId | undefined {
    const head = this.heads.get(collection.ident);
    return head === undefined || head.since > commitNumber ? undefined : head.before;
  }

  /** Notes that a view of `commitNumber` has no record up to and including `before`. */
  noteHead(collection: CollectionDescription, before: RecordId, commitNumber: CommitNumber): void {
    this.heads.set(collection.ident, { before, since: commitNumber });
  }

  /** Wakes who waits for documents of the collection, or for its end. */
  notify(uuid: CollectionUuid): void {
    const waiting = this.waiters.get(uuid);
    if (waiting === undefined) return;
    this.waiters.delete(uuid);
    for (const wake of waiting) wake();
  }

  /** The collection is gone. */
  forget(collection: CollectionDescription): void {
    this.heads.delete(collection.ident);
    this.notify(collection.uuid);
  }

  /**
   * Listens from now on for the next commit that adds to the collection.
   * @returns a promise of it, and what takes the request back.
   */
  listen(uuid: CollectionUuid): { readonly next: Promise<void>; readonly cancel: () => void } {
    let wake = (): void => {};
    const next = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const waiting = this.waiters.get(uuid) ?? new Set();
    this.waiters.set(uuid, waiting.add(wake));
    const cancel = (): void => {
      waiting.delete(wake);
      if (waiting.size === 0 && this.waiters.get(uuid) === waiting) this.waiters.delete(uuid);
    };
    return { next, cancel };
  }
}
