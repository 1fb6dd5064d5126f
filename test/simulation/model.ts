/**
 * What the store should hold, as plain Maps: the judge of the simulation.
 *
 * Owns: collections and documents after every commit, and how to undo the commits that nobody was promised.
 */

/** Documents of one collection by the text of their `_id`. */
export type ModelDocuments = Map<string, Buffer>;

/** What is known of an index: since that commit it is ready, or gone. */
export interface IndexKnowledge {
  readonly isReady: boolean;
  readonly since: number;
}

/** One collection, whatever it is called at present. */
export interface ModelCollection {
  options: Buffer;
  readonly documents: ModelDocuments;
  /** By name. An index whose build is under way is in neither state: nothing is known of it. */
  readonly indexes: Map<string, IndexKnowledge>;
}

/** Collections by namespace. */
export type ModelState = Map<string, ModelCollection>;

/** One write of a transaction; `after` undefined deletes. */
export interface ModelWrite {
  readonly namespace: string;
  readonly id: string;
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** A change of the catalog; `from` undefined creates, `to` undefined drops, else a rename. */
export interface ModelCatalogChange {
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Of a new collection. */
  readonly options?: Buffer;
}

interface ModelCommit {
  readonly commitNumber: number;
  readonly undo: () => void;
}

export class Model {
  readonly state: ModelState = new Map();
  private commits: ModelCommit[] = [];
  /** Keep what is needed to undo promised commits, too: for a disk that forgets what it acknowledged. */
  private readonly keepsAll: boolean;
  /** Everything up to here was promised to survive. */
  acknowledged = 0;

  constructor(keepsAll = false) {
    this.keepsAll = keepsAll;
  }

  /** A copy that later commits do not change. */
  copy(): ModelState {
    return new Map(
      [...this.state].map(([namespace, { options, documents, indexes }]) => [
        namespace,
        { options, documents: new Map(documents), indexes },
      ]),
    );
  }

  get lastCommitNumber(): number {
    return this.commits.at(-1)?.commitNumber ?? this.acknowledged;
  }

  acknowledge(commitNumber: number): void {
    this.acknowledged = Math.max(this.acknowledged, commitNumber);
    if (this.keepsAll) return;
    const kept = this.commits.findIndex((commit) => commit.commitNumber > this.acknowledged);
    this.commits = kept < 0 ? [] : this.commits.slice(kept);
  }

  /** @returns what is wrong with committing these writes now: a lost update, a write to what is not there. */
  commitWrites(commitNumber: number, writes: readonly ModelWrite[]): string | undefined {
    const undos: (() => void)[] = [];
    for (const { namespace, id, before, after } of writes) {
      const documents = this.state.get(namespace)?.documents;
      if (documents === undefined)
        return `commit ${commitNumber} writes to ${namespace}, which is gone`;
      const now = documents.get(id);
      if (!sameBytes(now, before)) {
        return `commit ${commitNumber} loses an update of ${namespace} ${id}`;
      }
      if (after === undefined) documents.delete(id);
      else documents.set(id, after);
      undos.push(() => {
        if (now === undefined) documents.delete(id);
        else documents.set(id, now);
      });
    }
    this.push(commitNumber, () => undos.reverse().forEach((undo) => undo()));
    return undefined;
  }

  commitCatalog(commitNumber: number, { from, to, options }: ModelCatalogChange): void {
    const collection =
      from === undefined
        ? { options: options ?? EMPTY, documents: new Map(), indexes: new Map() }
        : this.state.get(from);
    if (from !== undefined) this.state.delete(from);
    if (to !== undefined && collection !== undefined) this.state.set(to, collection);
    this.push(commitNumber, () => {
      if (to !== undefined) this.state.delete(to);
      if (from !== undefined && collection !== undefined) this.state.set(from, collection);
    });
  }

  commitOptions(commitNumber: number, namespace: string, options: Buffer): void {
    const collection = this.state.get(namespace);
    if (collection === undefined) return;
    const before = collection.options;
    collection.options = options;
    this.push(commitNumber, () => {
      collection.options = before;
    });
  }

  /** A commit that changes no documents, such as an index's. */
  commitNothing(commitNumber: number): void {
    this.push(commitNumber, () => {});
  }

  /**
   * After a crash: undoes commits that were not promised, the last one first, until the state is `actual`.
   * @param unreadable how many documents of each collection have a damaged page
   * @returns how many promised commits had to be undone (0 but for a model that keeps all); undefined when no state that
   * the store may have come back with is the one it came back with
   */
  fallBackTo(
    actual: ModelState,
    unreadable: ReadonlyMap<string, number>,
  ): { readonly promisesLost: number } | undefined {
    let promisesLost = 0;
    for (;;) {
      if (sameState(this.state, actual, unreadable)) {
        if (promisesLost > 0) this.acknowledged = this.lastCommitNumber;
        return { promisesLost };
      }
      const last = this.commits.pop();
      if (last === undefined) return undefined;
      if (last.commitNumber <= this.acknowledged) promisesLost += 1;
      last.undo();
    }
  }

  private push(commitNumber: number, undo: () => void): void {
    this.commits.push({ commitNumber, undo });
  }
}

const EMPTY = Buffer.from([5, 0, 0, 0, 0]);

/** Whether `actual` is the expected state, but for so many unreadable documents of each collection. */
export function sameState(
  expected: ModelState,
  actual: ModelState,
  unreadable: ReadonlyMap<string, number> = new Map(),
): boolean {
  if (expected.size !== actual.size) return false;
  for (const [namespace, { options, documents }] of actual) {
    const wanted = expected.get(namespace);
    const missing = unreadable.get(namespace) ?? 0;
    if (wanted === undefined || wanted.documents.size !== documents.size + missing) return false;
    if (!sameBytes(options, wanted.options)) return false;
    for (const [id, document] of documents) {
      if (!sameBytes(document, wanted.documents.get(id))) return false;
    }
  }
  return true;
}

/** The first difference in words, for a failure's message. */
export function differenceOf(expected: ModelState, actual: ModelState): string {
  for (const namespace of new Set([...expected.keys(), ...actual.keys()])) {
    const left = expected.get(namespace);
    const right = actual.get(namespace);
    if (left === undefined) return `${namespace} should not be there`;
    if (right === undefined) return `${namespace} is missing`;
    if (!sameBytes(left.options, right.options)) return `${namespace}: other options`;
    for (const id of new Set([...left.documents.keys(), ...right.documents.keys()])) {
      const should = left.documents.get(id);
      const has = right.documents.get(id);
      if (!sameBytes(should, has)) {
        return `${namespace} ${id}: ${sizeOf(has)} instead of ${sizeOf(should)}`;
      }
    }
  }
  return 'no difference';
}

function sizeOf(document: Buffer | undefined): string {
  return document === undefined ? 'nothing' : `${document.length} bytes`;
}

export function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || a.equals(b);
}
