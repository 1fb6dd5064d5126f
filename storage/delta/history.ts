/**
 * The versions of one thing outside the tables (a catalog entry, a collection's size), newest first.
 *
 * Promises: a version that no open snapshot can see goes when the next one is written.
 */
import type { OpenSnapshots } from './open-snapshots.ts';

interface Version<T> {
  commitNumber: number;
  value: T;
  older: Version<T> | undefined;
}

export class History<T> {
  private newest: Version<T> | undefined;

  /** What a snapshot at `commitNumber` sees; undefined before the first version. */
  at(commitNumber: number): T | undefined {
    let version = this.newest;
    while (version !== undefined && version.commitNumber > commitNumber) version = version.older;
    return version?.value;
  }

  get latest(): T | undefined {
    return this.newest?.value;
  }

  /** When the latest version was written; 0 before the first. */
  get latestCommitNumber(): number {
    return this.newest?.commitNumber ?? 0;
  }

  /** Adds the newest version. */
  write(commitNumber: number, value: T, snapshots: OpenSnapshots): void {
    const newest = this.newest;
    if (newest !== undefined && !snapshots.anySees(newest.commitNumber, commitNumber)) {
      newest.commitNumber = commitNumber;
      newest.value = value;
      return;
    }
    this.newest = { commitNumber, value, older: newest };
    this.prune(this.newest, snapshots);
  }

  private prune(newest: Version<T>, snapshots: OpenSnapshots): void {
    let kept = newest;
    let until = newest.commitNumber;
    for (let version = newest.older; version !== undefined; version = version.older) {
      if (snapshots.anySees(version.commitNumber, until)) {
        kept.older = version;
        kept = version;
      }
      until = version.commitNumber;
    }
    kept.older = undefined;
  }
}
