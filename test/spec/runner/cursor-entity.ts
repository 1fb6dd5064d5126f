/**
 * A cursor or change stream entity. The format wants it open on the server when the case goes on, and the driver opens
 * with the first read: that read's document waits here for the first iteration.
 */
import type { AbstractCursor, ChangeStream, Document } from 'mongodb';

type Iterable = AbstractCursor<Document> | ChangeStream<Document, Document>;

export class CursorEntity {
  private readonly cursor: Iterable;
  private waiting: Document | null = null;

  private constructor(cursor: Iterable) {
    this.cursor = cursor;
  }

  static async open(cursor: Iterable): Promise<CursorEntity> {
    const entity = new CursorEntity(cursor);
    entity.waiting = await cursor.tryNext();
    return entity;
  }

  /** The next document, with at most one getMore. */
  async iterateOnce(): Promise<Document | null> {
    return this.takeWaiting() ?? (await this.cursor.tryNext());
  }

  /** The next document, with as many getMores as it takes. */
  async iterateUntilDocument(): Promise<Document | null> {
    return this.takeWaiting() ?? (await this.cursor.next());
  }

  close(): Promise<void> {
    return this.cursor.close();
  }

  private takeWaiting(): Document | null {
    const document = this.waiting;
    this.waiting = null;
    return document;
  }
}
