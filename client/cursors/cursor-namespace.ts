/**
 * Where a cursor reads: the database, and the collection as the server names it.
 */

export class CursorNamespace {
  db: string;
  collection: string | undefined;

  constructor(db: string, collection: string | undefined) {
    this.db = db;
    this.collection = collection;
  }

  /** As a reply names it: aggregations of a database, and views, have names of their own. */
  become(namespace: string): void {
    const dot = namespace.indexOf('.');
    if (dot === -1) return;
    this.db = namespace.slice(0, dot);
    this.collection = namespace.slice(dot + 1);
  }

  toString(): string {
    return this.collection === undefined ? this.db : `${this.db}.${this.collection}`;
  }
}
