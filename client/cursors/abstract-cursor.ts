/**
 * A cursor: documents of a reply, and those that the server still has.
 *
 * Owns: the batch at hand, the server's cursor until it is exhausted or killed, and an implicit session for as long.
 * Invariants:
 *  1. Nothing is sent before the first document is asked for.
 *  2. What was buffered is given out before the server is asked again; documents are decoded when they are given out.
 *  3. After the end (exhausted, closed, failed) the server has no cursor of ours, as far as it could be told.
 * Source: driver specifications "Client Side Operations Timeout" and "find, getMore and killCursors commands".
 */
import { Long, type Document } from 'bson';
import type { Readable } from 'node:stream';
import { ReadConcern, type ReadConcernLike } from '../concerns/read-concern.ts';
import { ReadPreference, type ReadPreferenceLike } from '../concerns/read-preference.ts';
import {
  decodeDocument,
  encodeDocument,
  type BSONSerializeOptions,
} from '../documents/bson-options.ts';
import {
  MongoAPIError,
  MongoCursorExhaustedError,
  MongoCursorInUseError,
  MongoInvalidArgumentError,
  MongoTailableCursorError,
  MongoUnexpectedServerResponseError,
} from '../errors/driver-errors.ts';
import { Emitter } from '../events/emitter.ts';
import type { ClientContext } from '../operations/client-context.ts';
import { Deadline } from '../operations/deadline.ts';
import { execute, type CommandResult } from '../operations/execute.ts';
import type { Scope } from '../operations/scope.ts';
import { readableFrom } from '../platform.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { Server } from '../transport/contract.ts';
import { CursorTimeoutMode, type CursorOptions } from '../types/options.ts';
import { CursorNamespace } from './cursor-namespace.ts';

export const CURSOR_FLAGS = [
  'tailable',
  'oplogReplay',
  'noCursorTimeout',
  'awaitData',
  'exhaust',
  'partial',
] as const;
export type CursorFlag = (typeof CURSOR_FLAGS)[number];

export abstract class AbstractCursor<T = unknown> extends Emitter {
  static readonly CLOSE = 'close' as const;
  readonly namespace: CursorNamespace;
  /** @internal */
  protected readonly scope: Scope;
  /** @internal */
  protected cursorOptions: CursorOptions;
  readonly #bson: BSONSerializeOptions;
  #batch: readonly Uint8Array[] = [];
  #position = 0;
  #id: Long | undefined;
  #server: Server | undefined;
  #session: ClientSession | undefined;
  #deadline: Deadline | undefined;
  #transforms: ((document: never) => unknown)[] = [];
  #opened = false;
  #closed = false;
  #killed = false;
  /** The trip to the server that is under way: whoever asks meanwhile waits for it instead of making another. */
  #trip: Promise<void> | undefined;

  constructor(scope: Scope, options: CursorOptions) {
    super();
    this.scope = scope;
    this.namespace = new CursorNamespace(scope.database, scope.collection);
    this.cursorOptions = { ...options };
    this.#bson = scope.bsonOptions(options);
    checkTimeoutOptions({
      ...options,
      ...timeoutOf(options.timeoutMS ?? scope.settings.timeoutMS),
    });
  }

  /** Sends the command that opens the cursor. */
  protected abstract open(session: ClientSession, deadline: Deadline): Promise<CommandResult>;

  /** An unopened cursor with the same options. */
  abstract clone(): AbstractCursor<T>;

  get client(): ClientContext {
    return this.scope.client;
  }

  /** The server's number; undefined before the first reply. */
  get id(): Long | undefined {
    return this.#id;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get killed(): boolean {
    return this.#killed;
  }

  get session(): ClientSession | undefined {
    return this.cursorOptions.session ?? this.#session;
  }

  get loadBalanced(): boolean {
    return false;
  }

  get readPreference(): ReadPreference {
    return (
      ReadPreference.fromOptions({ ...this.cursorOptions }) ??
      this.scope.settings.readPreference ??
      ReadPreference.primary
    );
  }

  get readConcern(): ReadConcern | undefined {
    return ReadConcern.fromOptions(this.cursorOptions) ?? this.scope.settings.readConcern;
  }

  bufferedCount(): number {
    return this.#batch.length - this.#position;
  }

  /** Takes documents that are here already, without asking the server. */
  readBufferedDocuments(count = this.bufferedCount()): T[] {
    const end = Math.min(this.#batch.length, this.#position + count);
    const documents: T[] = [];
    while (this.#position < end) documents.push(this.#take());
    return documents;
  }

  /** The next document, or null at the end. Of a tailable cursor it waits. */
  async next(): Promise<T | null> {
    if (this.#killed) throw new MongoCursorExhaustedError('Cursor is exhausted');
    return this.#takeNext(true);
  }

  /** The next document, or null when there is none now: one trip to the server at most. */
  async tryNext(): Promise<T | null> {
    if (this.#killed) throw new MongoCursorExhaustedError('Cursor is exhausted');
    return this.#takeNext(false);
  }

  async hasNext(): Promise<boolean> {
    return this.#killed ? false : this.#advance(true);
  }

  async toArray(): Promise<T[]> {
    const documents: T[] = [];
    try {
      while (!this.#killed && (await this.#advance(true))) {
        // One by one: a batch may have more documents than a call may have arguments.
        for (const document of this.#takeBuffered()) documents.push(document);
      }
    } finally {
      await this.close();
    }
    return documents;
  }

  /** Calls `iterator` with each document until it returns false. */
  async forEach(iterator: (document: T) => boolean | void): Promise<void> {
    if (typeof iterator !== 'function') {
      throw new MongoInvalidArgumentError('Argument "iterator" must be a function');
    }
    for await (const document of this) {
      if (iterator(document) === false) break;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    if (this.#closed && this.bufferedCount() === 0) return;
    try {
      while (!this.#killed && (await this.#advance(true))) {
        while (this.bufferedCount() > 0) {
          this.cursorOptions.signal?.throwIfAborted();
          yield this.#take();
        }
      }
    } finally {
      await this.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A stream of Node, which closes the cursor at its end. */
  stream(): Readable & AsyncIterable<T> {
    return readableFrom(this);
  }

  /** Each document goes through `transform` from now on. The same cursor, with another type. */
  map<Result>(transform: (document: T) => Result): AbstractCursor<Result> {
    this.throwIfOpened();
    this.addTransform(transform);
    return retyped<Result>(this);
  }

  /** @internal */
  protected addTransform(transform: (document: T) => unknown): void {
    this.#transforms.push(transform);
  }

  addCursorFlag(flag: CursorFlag, value: boolean): this {
    this.throwIfOpened();
    if (!CURSOR_FLAGS.includes(flag)) {
      throw new MongoInvalidArgumentError(`Flag ${flag} is not one of ${CURSOR_FLAGS.join(',')}`);
    }
    if (typeof value !== 'boolean') {
      throw new MongoInvalidArgumentError(`Flag ${flag} must be a boolean value`);
    }
    Reflect.set(this.cursorOptions, flag === 'partial' ? 'allowPartialResults' : flag, value);
    return this;
  }

  batchSize(value: number): this {
    this.throwIfOpened();
    if (this.cursorOptions.tailable === true) {
      throw new MongoTailableCursorError('Tailable cursor does not support batchSize');
    }
    if (typeof value !== 'number') {
      throw new MongoInvalidArgumentError('Operation "batchSize" requires an integer');
    }
    this.cursorOptions.batchSize = value;
    return this;
  }

  maxTimeMS(value: number): this {
    this.throwIfOpened();
    if (typeof value !== 'number') {
      throw new MongoInvalidArgumentError('Argument for maxTimeMS must be a number');
    }
    this.cursorOptions.maxTimeMS = value;
    return this;
  }

  withReadPreference(readPreference: ReadPreferenceLike): this {
    this.throwIfOpened();
    const parsed = ReadPreference.fromOptions({ readPreference });
    if (parsed === undefined) {
      throw new MongoInvalidArgumentError(
        `Invalid read preference: ${JSON.stringify(readPreference)}`,
      );
    }
    this.cursorOptions.readPreference = parsed;
    return this;
  }

  withReadConcern(readConcern: ReadConcernLike): this {
    this.throwIfOpened();
    const parsed = ReadConcern.fromOptions({ readConcern });
    if (parsed !== undefined) this.cursorOptions.readConcern = parsed;
    return this;
  }

  /** Forgets everything that was read: the next document is the first one again. */
  rewind(): void {
    if (!this.#opened) return;
    this.#batch = [];
    this.#position = 0;
    this.#id = undefined;
    this.#server = undefined;
    this.#deadline = undefined;
    this.#opened = false;
    this.#closed = false;
    this.#killed = false;
    this.client.openCursors.delete(this);
    this.#releaseSession();
  }

  /** Ends it here and on the server. Idempotent. */
  async close(options: { timeoutMS?: number } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.client.openCursors.delete(this);
    try {
      if (this.isAlive) {
        this.#killed = true;
        await this.#kill(options.timeoutMS);
      }
    } catch {
      // The server ends it after a while by itself.
    } finally {
      this.#releaseSession();
      this.emit(AbstractCursor.CLOSE);
    }
  }

  protected throwIfOpened(): void {
    if (this.#opened) throw new MongoCursorInUseError('Cursor is already initialized');
  }

  /** The server has more. */
  protected get isAlive(): boolean {
    return this.#id !== undefined && !this.#id.isZero();
  }

  /** The command is explained instead of run: the explanation is the only document. */
  protected get explains(): boolean {
    return false;
  }

  /** Of the reply that opened it, or of the last getMore: for who needs more than its documents. */
  protected onReply(_cursor: Document, _reply: Document): void {
    // Only change streams look.
  }

  #take(): T {
    const bytes = this.#batch[this.#position];
    this.#position += 1;
    if (bytes === undefined) throw new MongoCursorExhaustedError('Cursor is exhausted');
    return this.#decode(bytes);
  }

  #takeBuffered(): T[] {
    const documents = this.#batch.slice(this.#position).map((bytes) => this.#decode(bytes));
    this.#position = this.#batch.length;
    return documents;
  }

  #decode(bytes: Uint8Array): T {
    let value: unknown = decodeDocument(bytes, this.#bson);
    for (const transform of this.#transforms) {
      value = Reflect.apply(transform, undefined, [value]);
      if (value === null) {
        throw new MongoAPIError(
          'Cursor returned a `null` document, but the cursor is not exhausted.  Mapping documents to `null` is not supported in the cursor transform.',
        );
      }
    }
    // What a collection holds is its user's promise.
    return value as T;
  }

  /** What another caller of the same cursor took in between is not there any more: ask again. */
  async #takeNext(waits: boolean): Promise<T | null> {
    while (await this.#advance(waits)) {
      if (this.bufferedCount() > 0) return this.#take();
    }
    return null;
  }

  /** Makes sure that a document is buffered. @returns false at the end, or with `waits` false when there is none now. */
  async #advance(waits: boolean): Promise<boolean> {
    try {
      this.cursorOptions.signal?.throwIfAborted();
      while (this.bufferedCount() === 0) {
        if (this.#trip === undefined && this.#opened && !this.isAlive) {
          await this.close();
          return false;
        }
        this.#trip ??= this.#travel();
        await this.#trip;
        if (!waits) break;
      }
      return this.bufferedCount() > 0;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #travel(): Promise<void> {
    try {
      await (this.#opened ? this.#fetch() : this.#begin());
    } finally {
      this.#trip = undefined;
      if (this.isAlive && !this.#closed) this.client.openCursors.add(this);
      else this.client.openCursors.delete(this);
    }
  }

  async #begin(): Promise<void> {
    this.#opened = true;
    this.#session =
      this.cursorOptions.session === undefined ? this.client.startImplicitSession() : undefined;
    const session = this.cursorOptions.session ?? this.#session;
    if (session === undefined) throw new MongoCursorExhaustedError('Cursor is exhausted');
    const deadline = this.scope.deadline(this.cursorOptions);
    if (this.#timeoutMode === CursorTimeoutMode.LIFETIME) this.#deadline = deadline;
    const { reply, server } = await this.open(session, deadline);
    this.#server = server;
    this.#takeBatch(reply, 'firstBatch');
    if (!this.isAlive && this.cursorOptions.session === undefined) this.#releaseSession();
  }

  get #timeoutMode(): CursorTimeoutMode {
    const { timeoutMode, tailable } = this.cursorOptions;
    return (
      timeoutMode ?? (tailable === true ? CursorTimeoutMode.ITERATION : CursorTimeoutMode.LIFETIME)
    );
  }

  #takeBatch(reply: Document, field: 'firstBatch' | 'nextBatch'): void {
    const cursor: unknown = reply['cursor'];
    if (cursor === undefined && this.explains) {
      this.#id = Long.ZERO;
      this.#batch = [encodeDocument(reply, {})];
      this.#position = 0;
      return;
    }
    if (typeof cursor !== 'object' || cursor === null) {
      throw new MongoUnexpectedServerResponseError('The reply has no cursor');
    }
    const { id, ns, [field]: batch }: Document = cursor;
    this.#id = Long.isLong(id) ? id : Long.fromNumber(Number(id));
    if (typeof ns === 'string') this.namespace.become(ns);
    this.#batch = Array.isArray(batch) ? batch : [];
    this.#position = 0;
    this.onReply(cursor, reply);
    if (this.#closed && this.isAlive) void this.#kill(undefined).catch(() => undefined);
  }

  async #fetch(): Promise<void> {
    const { comment, batchSize, maxAwaitTimeMS } = this.cursorOptions;
    const command: Document = { getMore: this.#id, collection: this.namespace.collection };
    const size = this.nextBatchSize(batchSize);
    if (size !== undefined) command['batchSize'] = Math.abs(size);
    const deadline = this.#deadline ?? this.scope.deadline(this.cursorOptions);
    // The server may wait as long as it is told to, but no longer than there is time.
    if (maxAwaitTimeMS !== undefined) {
      command['maxTimeMS'] = Math.floor(Math.min(maxAwaitTimeMS, deadline.leftMs ?? Infinity));
    }
    if (comment !== undefined) command['comment'] = comment;
    const { reply } = await execute(this.client, {
      ...this.scope.request(command, this.cursorOptions, {
        kind: 'other',
        decode: 'batch',
        server: this.#server,
        deadline,
        keepsMaxTime: true,
      }),
      database: this.namespace.db,
      session: this.session,
    });
    this.#takeBatch(reply, 'nextBatch');
    if (!this.isAlive) this.#releaseSession();
  }

  /** How many documents the next getMore asks for. */
  protected nextBatchSize(batchSize: number | undefined): number | undefined {
    return batchSize;
  }

  async #kill(timeoutMS: number | undefined): Promise<void> {
    const command = { killCursors: this.namespace.collection, cursors: [this.#id] };
    const deadline =
      timeoutMS === undefined
        ? this.scope.deadline({ ...this.cursorOptions })
        : Deadline.in(this.client.clock, timeoutMS);
    const { signal: _aborted, ...options } = this.cursorOptions;
    await execute(this.client, {
      ...this.scope.request(command, options, {
        kind: 'other',
        server: this.#server,
        deadline,
        ignoresRaw: true,
      }),
      database: this.namespace.db,
      session: this.session,
    });
  }

  #releaseSession(): void {
    this.#session?.release();
  }
}

function timeoutOf(timeoutMS: number | undefined): { timeoutMS?: number } {
  return timeoutMS === undefined ? {} : { timeoutMS };
}

function checkTimeoutOptions({
  timeoutMode,
  timeoutMS,
  tailable,
  awaitData,
  maxAwaitTimeMS,
}: CursorOptions): void {
  if (timeoutMode !== undefined && timeoutMS === undefined) {
    throw new MongoInvalidArgumentError('Cannot set timeoutMode without setting timeoutMS');
  }
  if (timeoutMode === CursorTimeoutMode.LIFETIME && tailable === true) {
    throw new MongoInvalidArgumentError("Cannot set tailable cursor's timeoutMode to LIFETIME");
  }
  const waits = tailable === true && awaitData === true;
  if (
    waits &&
    timeoutMS !== undefined &&
    maxAwaitTimeMS !== undefined &&
    timeoutMS > 0 &&
    maxAwaitTimeMS >= timeoutMS
  ) {
    throw new MongoInvalidArgumentError(
      'Cannot specify maxAwaitTimeMS >= timeoutMS for a tailable awaitData cursor',
    );
  }
}

/** The same cursor: its transforms decide what its documents are, and only their author knows that. */
function retyped<Result>(cursor: AbstractCursor): AbstractCursor<Result> {
  return cursor as AbstractCursor<Result>;
}
