/**
 * What the store should hold, as plain Maps: the judge of the simulation.
 *
 * Owns: the documents after every commit, and how to undo the commits that nobody was promised.
 */

/** Documents of one collection by the text of their `_id`. */
export type ModelDocuments = Map<string, Buffer>;
/** Collections by namespace. */
export type ModelState = Map<string, ModelDocuments>;

/** One write of a transaction; `after` undefined deletes. */
export interface ModelWrite {
  readonly namespace: string;
  readonly id: string;
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** A change of the catalog; `to` undefined drops. */
export interface ModelCatalogChange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

interface ModelCommit {
  readonly commitNumber: number;
  readonly undo: () => void;
}

export class Model {
  readonly state: ModelState = new Map();
  private readonly commits: ModelCommit[] = [];
  /** Everything up to here was promised to survive. */
  acknowledged = 0;

  /** A copy that later commits do not change. */
  copy(): ModelState {
    return new Map(
      [...this.state].map(([namespace, documents]) => [namespace, new Map(documents)]),
    );
  }

  get lastCommitNumber(): number {
    return this.commits.at(-1)?.commitNumber ?? this.acknowledged;
  }

  acknowledge(commitNumber: number): void {
    this.acknowledged = Math.max(this.acknowledged, commitNumber);
    while ((this.commits[0]?.commitNumber ?? Infinity) <= this.acknowledged) this.commits.shift();
  }

  /** @returns what is wrong with committing these writes now: a lost update, a write to what is not there. */
  commitWrites(commitNumber: number, writes: readonly ModelWrite[]): string | undefined {
    const undos: (() => void)[] = [];
    const touched = new Map<string, Buffer | undefined>();
    for (const { namespace, id, before, after } of writes) {
      const documents = this.state.get(namespace);
      if (documents === undefined)
        return `commit ${commitNumber} writes to ${namespace}, which is gone`;
      const now = documents.get(id);
      if (!sameBytes(now, before)) {
        return `commit ${commitNumber} loses an update of ${namespace} ${id}`;
      }
      touched.set(`${namespace} ${id}`, after);
      if (after === undefined) documents.delete(id);
      else documents.set(id, after);
      undos.push(() => {
        if (now === undefined) documents.delete(id);
        else documents.set(id, now);
      });
    }
    this.commits.push({ commitNumber, undo: () => undos.reverse().forEach((undo) => undo()) });
    return undefined;
  }

  commitCatalog(commitNumber: number, change: ModelCatalogChange): void {
    const { from, to } = change;
    const documents = from === undefined ? new Map<string, Buffer>() : this.state.get(from);
    if (from !== undefined) this.state.delete(from);
    if (to !== undefined && documents !== undefined) this.state.set(to, documents);
    this.commits.push({
      commitNumber,
      undo: () => {
        if (to !== undefined) this.state.delete(to);
        if (from !== undefined && documents !== undefined) this.state.set(from, documents);
      },
    });
  }

  /** A commit that changes no documents, such as an index's. */
  commitNothing(commitNumber: number): void {
    this.commits.push({ commitNumber, undo: () => {} });
  }

  /**
   * After a crash: undoes commits that were not promised, the last one first, until the state is `actual`.
   * @param unreadable how many documents of each collection have a damaged page
   * @returns false when no state that the store may have come back with is the one it came back with
   */
  fallBackTo(actual: ModelState, unreadable: ReadonlyMap<string, number>): boolean {
    for (;;) {
      if (sameState(this.state, actual, unreadable)) return true;
      const last = this.commits.pop();
      if (last === undefined) return false;
      last.undo();
    }
  }
}

/** Whether `actual` is the expected state, but for so many unreadable documents of each collection. */
export function sameState(
  expected: ModelState,
  actual: ModelState,
  unreadable: ReadonlyMap<string, number> = new Map(),
): boolean {
  if (expected.size !== actual.size) return false;
  for (const [namespace, documents] of actual) {
    const wanted = expected.get(namespace);
    const missing = unreadable.get(namespace) ?? 0;
    if (wanted === undefined || wanted.size !== documents.size + missing) return false;
    for (const [id, document] of documents) if (!sameBytes(document, wanted.get(id))) return false;
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
    for (const id of new Set([...left.keys(), ...right.keys()])) {
      if (!sameBytes(left.get(id), right.get(id))) {
        const has = right.has(id) ? `${right.get(id)?.length} bytes` : 'nothing';
        const should = left.has(id) ? `${left.get(id)?.length} bytes` : 'nothing';
        return `${namespace} ${id}: ${has} instead of ${should}`;
      }
    }
  }
  return 'no difference';
}

export function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.equals(b);
}
