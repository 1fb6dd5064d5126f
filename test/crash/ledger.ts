/**
 * The parent's book of what the server has acknowledged and what was under way when it died.
 *
 * Owns: per document the acknowledged version; per writer the changes under way, in the order in which they were asked for.
 * Promises: an acknowledged change is expected exactly; one under way may be there whole or not at all, and of several that
 * were asked for in one ordered command the later ones only if the earlier ones are.
 */
import type { DocumentId, Version } from './documents.ts';

/** One document's change from one version to the next; undefined stands for "not there". */
export interface Change {
  readonly id: DocumentId;
  readonly before: Version;
  readonly after: Version;
}

export interface LedgerTotals {
  inserts: number;
  updates: number;
  deletes: number;
  /** Of the changes under way at a kill: how many were there afterwards, how many not. */
  foundUnderWay: number;
  lostUnderWay: number;
}

export class Ledger {
  readonly totals: LedgerTotals = {
    inserts: 0,
    updates: 0,
    deletes: 0,
    foundUnderWay: 0,
    lostUnderWay: 0,
  };
  private readonly versions = new Map<DocumentId, number>();
  private readonly underWay = new Map<number, readonly Change[]>();

  /** How many documents the acknowledged state has. */
  get size(): number {
    return this.versions.size;
  }

  /** Acknowledged version. */
  versionOf(id: DocumentId): Version {
    return this.versions.get(id);
  }

  /** A writer asks for changes; it has none under way. */
  begin(writer: number, changes: readonly Change[]): void {
    if (this.underWay.has(writer)) throw new Error(`writer ${writer} has changes under way`);
    this.underWay.set(writer, changes);
  }

  /** The server has acknowledged them. */
  acknowledge(writer: number): void {
    for (const change of this.underWay.get(writer) ?? []) {
      this.apply(change);
      if (change.before === undefined) this.totals.inserts += 1;
      else if (change.after === undefined) this.totals.deletes += 1;
      else this.totals.updates += 1;
    }
    this.underWay.delete(writer);
  }

  /**
   * Compares what is there after a crash with the book, and goes on from there.
   * @param found version of each document that is there.
   * @returns sentences about everything that must not be.
   */
  reconcile(found: ReadonlyMap<DocumentId, number>): string[] {
    const violations: string[] = [];
    for (const [writer, changes] of this.underWay) {
      violations.push(...this.settle(writer, changes, found));
    }
    this.underWay.clear();
    for (const [id, version] of this.versions) {
      const there = found.get(id);
      if (there === version) continue;
      violations.push(
        there === undefined
          ? `document ${id}: version ${version} was acknowledged, and the document is gone`
          : `document ${id}: version ${version} was acknowledged, and version ${there} is there`,
      );
    }
    for (const [id, version] of found) {
      if (this.versions.has(id)) continue;
      violations.push(
        `document ${id}: version ${version} is there, but it was deleted or never sent`,
      );
    }
    return violations;
  }

  /** Decides about the changes under way by what is there. */
  private settle(
    writer: number,
    changes: readonly Change[],
    found: ReadonlyMap<DocumentId, number>,
  ): string[] {
    let missing: Change | undefined;
    for (const change of changes) {
      const there = found.get(change.id);
      if (there !== change.after) {
        missing ??= change;
        this.totals.lostUnderWay += 1;
        continue;
      }
      this.totals.foundUnderWay += 1;
      this.apply(change);
      if (missing !== undefined) {
        return [
          `writer ${writer}: the change of document ${change.id} is there, the one of ${missing.id} before it in the same command is not`,
        ];
      }
    }
    return [];
  }

  private apply({ id, after }: Change): void {
    if (after === undefined) this.versions.delete(id);
    else this.versions.set(id, after);
  }
}
