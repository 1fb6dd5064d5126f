/**
 * One writer's book: what was acknowledged, and what nobody answered for.
 *
 * Promises: an acknowledged change is expected exactly. A document whose last change has no answer may have it or not, from then on and
 * until nothing is under way anywhere and somebody has looked: nobody writes to it before, because the change may still come.
 */
import type { DocumentId, Version } from './documents.ts';

/** One document's change; undefined stands for "not there". */
export interface Change {
  readonly id: DocumentId;
  readonly before: Version;
  readonly after: Version;
}

export class Ledger {
  readonly totals = { inserts: 0, updates: 0, deletes: 0, unanswered: 0, found: 0 };
  private readonly versions = new Map<DocumentId, number>();
  private readonly uncertain = new Map<DocumentId, Change>();

  /** How many documents are there for certain. */
  get size(): number {
    return this.versions.size;
  }

  /** The acknowledged version. */
  versionOf(id: DocumentId): Version {
    return this.versions.get(id);
  }

  acknowledge(changes: readonly Change[]): void {
    for (const { id, before, after } of changes) {
      if (after === undefined) this.versions.delete(id);
      else this.versions.set(id, after);
      if (before === undefined) this.totals.inserts += 1;
      else if (after === undefined) this.totals.deletes += 1;
      else this.totals.updates += 1;
    }
  }

  /** The command has failed in a way that leaves open what of it was done. */
  leaveOpen(changes: readonly Change[]): void {
    for (const change of changes) {
      this.versions.delete(change.id);
      this.uncertain.set(change.id, change);
      this.totals.unanswered += 1;
    }
  }

  /** Nothing is under way: what is there now of changes without answer is what there is. @returns the documents that are there */
  settle(found: ReadonlyMap<DocumentId, number>): DocumentId[] {
    const there: DocumentId[] = [];
    for (const id of this.uncertain.keys()) {
      const version = found.get(id);
      if (version === undefined) continue;
      this.versions.set(id, version);
      there.push(id);
    }
    this.totals.found += this.uncertain.size;
    this.uncertain.clear();
    return there;
  }

  /** @returns what is wrong with this reading of all documents of the writer, as sentences */
  compare(found: ReadonlyMap<DocumentId, number>): string[] {
    const wrong: string[] = [];
    for (const [id, version] of this.versions) {
      const there = found.get(id);
      if (there !== version) wrong.push(sentence(id, `version ${version}`, there));
    }
    for (const [id, { before, after }] of this.uncertain) {
      const there = found.get(id);
      if (there !== before && there !== after) {
        wrong.push(sentence(id, `version ${String(before)} or ${String(after)}`, there));
      }
    }
    for (const [id, version] of found) {
      if (this.versions.has(id) || this.uncertain.has(id)) continue;
      wrong.push(`document ${id}: version ${version} is there, but it was deleted or never sent`);
    }
    return wrong;
  }
}

function sentence(id: DocumentId, expected: string, there: Version): string {
  const found = there === undefined ? 'it is not there' : `version ${there} is there`;
  return `document ${id}: ${expected} is expected, and ${found}`;
}
