/**
 * A change stream: the changes of a collection, a database or the whole deployment, as they happen.
 *
 * Goes on by itself after errors that the specification calls resumable, once per successful read, from where it was.
 * Source: driver specification "Change Streams".
 */
import type { Document, Timestamp } from 'bson';
import type { Readable } from 'node:stream';
import { Emitter, type Listener } from '../events/emitter.ts';
import { MongoAPIError, MongoChangeStreamError } from '../errors/driver-errors.ts';
import { MongoError, MongoErrorLabel } from '../errors/mongo-error.ts';
import { isNetworkError } from '../operations/error-kinds.ts';
import { fieldsFrom, type Scope } from '../operations/scope.ts';
import { readableFrom } from '../platform.ts';
import type { AggregateOptions } from '../types/options.ts';
import { AggregationCursor } from './aggregation-cursor.ts';

/** Opaque; gives the place in the stream. */
export type ResumeToken = unknown;

export interface ChangeStreamOptions extends AggregateOptions {
  fullDocument?: string;
  fullDocumentBeforeChange?: string;
  resumeAfter?: ResumeToken;
  startAfter?: ResumeToken;
  startAtOperationTime?: Timestamp;
  showExpandedEvents?: boolean;
}

/** What happened; which fields there are depends on `operationType`. */
export interface ChangeStreamDocument<Schema extends Document = Document> extends Document {
  _id: ResumeToken;
  operationType: string;
  ns?: { db: string; coll?: string };
  documentKey?: { _id: unknown };
  fullDocument?: Schema;
}

const STAGE_OPTIONS = [
  'resumeAfter',
  'startAfter',
  'startAtOperationTime',
  'fullDocument',
  'fullDocumentBeforeChange',
  'showExpandedEvents',
] as const;

/** Any of these says where to begin. */
const STARTS = ['resumeAfter', 'startAfter', 'startAtOperationTime'] as const;

export class ChangeStream<
  Schema extends Document = Document,
  Change extends Document = ChangeStreamDocument<Schema>,
> extends Emitter {
  static readonly CHANGE = 'change' as const;
  static readonly CLOSE = 'close' as const;
  static readonly ERROR = 'error' as const;
  static readonly END = 'end' as const;
  static readonly RESUME_TOKEN_CHANGED = 'resumeTokenChanged' as const;

  readonly pipeline: readonly Document[];
  readonly options: ChangeStreamOptions;
  readonly #scope: Scope;
  readonly #of: 'collection' | 'database' | 'cluster';
  #cursor: ChangeCursor<Change>;
  #resumeToken: ResumeToken;
  #closed = false;
  /** What ended it, if it was not close(). */
  #failure: unknown;
  #mode: 'iterator' | 'emitter' | undefined;

  constructor(
    scope: Scope,
    of: 'collection' | 'database' | 'cluster',
    pipeline: readonly Document[],
    options: ChangeStreamOptions,
  ) {
    super();
    this.#scope = scope;
    this.#of = of;
    this.pipeline = pipeline;
    this.options = options;
    this.#resumeToken = options.startAfter ?? options.resumeAfter;
    this.#cursor = this.#open(fieldsFrom(options, STAGE_OPTIONS));
  }

  /** Where the next reader may go on: pass it as resumeAfter. */
  get resumeToken(): ResumeToken {
    return this.#cursor.resumeToken ?? this.#resumeToken;
  }

  get cursor(): AggregationCursor<Change> {
    return this.#cursor;
  }

  get closed(): boolean {
    return this.#closed || this.#cursor.closed;
  }

  override on(name: PropertyKey, listener: Listener): this {
    super.on(name, listener);
    if (name === ChangeStream.CHANGE) this.#emitChanges();
    return this;
  }

  override once(name: PropertyKey, listener: Listener): this {
    super.once(name, listener);
    if (name === ChangeStream.CHANGE) this.#emitChanges();
    return this;
  }

  override addListener(name: PropertyKey, listener: Listener): this {
    return this.on(name, listener);
  }

  async hasNext(): Promise<boolean> {
    this.#iterate();
    return this.#resuming((cursor) => cursor.hasNext());
  }

  /** Waits for the next change. @throws MongoChangeStreamError when the stream is closed. */
  async next(): Promise<Change> {
    this.#iterate();
    return this.#next();
  }

  async tryNext(): Promise<Change | null> {
    this.#iterate();
    return this.#resuming((cursor) => cursor.tryNext());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Change, void, void> {
    if (this.closed) return;
    try {
      while (!this.closed) yield await this.#next();
    } catch (error) {
      if (!this.#closed || error === this.#failure) throw error;
    } finally {
      await this.close();
    }
  }

  stream(): Readable & AsyncIterable<Change> {
    return readableFrom(this);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#cursor.close();
    this.emit(ChangeStream.CLOSE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #next(): Promise<Change> {
    const change = await this.#resuming((cursor) => cursor.next());
    if (change === null) throw new MongoChangeStreamError('ChangeStream is closed');
    this.#throwWithoutToken(change);
    return change;
  }

  #throwWithoutToken(change: Change): void {
    if (change['_id'] !== undefined && change['_id'] !== null) return;
    throw new MongoChangeStreamError(
      'A change stream document has been received that lacks a resume token (_id).',
    );
  }

  #iterate(): void {
    if (this.#mode === 'emitter') {
      throw new MongoAPIError(
        'ChangeStream cannot be used as an iterator after being used as an EventEmitter',
      );
    }
    this.#mode = 'iterator';
  }

  #emitChanges(): void {
    if (this.#mode === 'iterator') {
      throw new MongoAPIError(
        'ChangeStream cannot be used as an EventEmitter after being used as an iterator',
      );
    }
    if (this.#mode === 'emitter') return;
    this.#mode = 'emitter';
    void this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      while (!this.closed) {
        const change = await this.#next();
        this.emit(ChangeStream.RESUME_TOKEN_CHANGED, this.resumeToken);
        this.emit(ChangeStream.CHANGE, change);
      }
    } catch (error) {
      if (this.#closed && error !== this.#failure) return;
      if (this.listenerCount(ChangeStream.ERROR) > 0) this.emit(ChangeStream.ERROR, error);
      await this.close();
    }
  }

  async #resuming<T>(read: (cursor: ChangeCursor<Change>) => Promise<T>): Promise<T> {
    if (this.#closed) throw new MongoChangeStreamError('ChangeStream is closed');
    try {
      return await read(this.#cursor);
    } catch (error) {
      if (this.#closed) throw new MongoChangeStreamError('ChangeStream is closed');
      if (!isResumable(error) || !this.#cursor.wasOpened) {
        this.#failure = error;
        await this.close();
        throw error;
      }
    }
    this.#reopen();
    return read(this.#cursor);
  }

  #reopen(): void {
    const token = this.resumeToken;
    const stage = fieldsFrom(this.options, STAGE_OPTIONS);
    const startedAfter = this.options.startAfter !== undefined && !this.#cursor.gaveSomething;
    for (const name of STARTS) delete stage[name];
    if (token !== undefined) stage[startedAfter ? 'startAfter' : 'resumeAfter'] = token;
    else if (this.#cursor.operationTime !== undefined) {
      stage['startAtOperationTime'] =
        this.options.startAtOperationTime ?? this.#cursor.operationTime;
    }
    this.#resumeToken = token;
    this.#cursor = this.#open(stage);
  }

  #open(stage: Document): ChangeCursor<Change> {
    const $changeStream: Document = {
      ...stage,
      ...(this.#of === 'cluster' ? { allChangesForCluster: true } : {}),
    };
    const options = Object.fromEntries(
      Object.entries(this.options).filter(
        ([name]) => !STAGE_OPTIONS.some((other) => other === name),
      ),
    );
    return new ChangeCursor<Change>(this.#scope, [{ $changeStream }, ...this.pipeline], {
      ...options,
      tailable: true,
      awaitData: true,
    });
  }
}

const RESUMABLE: ReadonlySet<unknown> = new Set([
  6, 7, 89, 91, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436, 63, 150, 13_388, 234, 133,
]);
const CURSOR_NOT_FOUND = 43;

function isResumable(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  return (
    isNetworkError(error) ||
    error.code === CURSOR_NOT_FOUND ||
    error.hasErrorLabel(MongoErrorLabel.ResumableChangeStreamError) ||
    RESUMABLE.has(error.code)
  );
}

/** The cursor, and what its replies say of the place in the stream. */
class ChangeCursor<T> extends AggregationCursor<T> {
  operationTime: Timestamp | undefined;
  wasOpened = false;
  gaveSomething = false;
  #batchToken: ResumeToken;
  #lastToken: ResumeToken;

  /** Of the last change given out; of the batch when there is none left in it. */
  get resumeToken(): ResumeToken {
    return this.bufferedCount() === 0 ? (this.#batchToken ?? this.#lastToken) : this.#lastToken;
  }

  protected override onReply(cursor: Document, reply: Document): void {
    if (!this.wasOpened) this.operationTime = reply['operationTime'];
    this.wasOpened = true;
    this.#batchToken = cursor['postBatchResumeToken'];
  }

  override async next(): Promise<T | null> {
    return this.#noted(await super.next());
  }

  override async tryNext(): Promise<T | null> {
    return this.#noted(await super.tryNext());
  }

  #noted(change: T | null): T | null {
    if (typeof change === 'object' && change !== null && '_id' in change) {
      this.gaveSomething = true;
      this.#lastToken = change._id;
    }
    return change;
  }
}
