/**
 * The cursor of find, and what can be said of the query before it is sent.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError, MongoTailableCursorError } from '../errors/driver-errors.ts';
import { countCommand } from '../operations/count.ts';
import type { Deadline } from '../operations/deadline.ts';
import { execute, type CommandResult } from '../operations/execute.ts';
import { explained, explainVerbosity } from '../operations/explain.ts';
import { findCommand } from '../operations/find.ts';
import type { Scope } from '../operations/scope.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type {
  CollationOptions,
  CountOptions,
  CursorOptions,
  ExplainCommandOptions,
  ExplainVerbosityLike,
  FindOptions,
} from '../types/options.ts';
import { formatSort, type Hint, type Sort, type SortDirection } from '../types/sort.ts';
import { ExplainableCursor } from './explainable-cursor.ts';

export const FLAGS_OF_FIND = ['tailable', 'awaitData'] as const;

export class FindCursor<T = unknown> extends ExplainableCursor<T> {
  #filter: Document;
  #options: FindOptions;
  #returned = 0;

  constructor(scope: Scope, filter: Document = {}, options: FindOptions = {}) {
    super(scope, options);
    this.#filter = filter;
    this.#options = this.cursorOptions;
  }

  override clone(): FindCursor<T> {
    const { session: _session, ...options } = this.#options;
    return new FindCursor<T>(this.scope, { ...this.#filter }, options);
  }

  override map<Result>(transform: (document: T) => Result): FindCursor<Result> {
    this.throwIfOpened();
    this.addTransform(transform);
    return retyped<Result>(this);
  }

  protected override async open(
    session: ClientSession,
    deadline: Deadline,
  ): Promise<CommandResult> {
    const command = findCommand(this.collection, this.#filter, this.#options);
    const result = await execute(this.client, {
      ...this.scope.request(explained(command, this.#options.explain), this.#options, {
        kind: 'read',
        takesReadConcern: true,
        decode: 'batch',
        deadline,
        // Each getMore has the time anew, so the server cannot be told a time for the whole.
        keepsMaxTime:
          (this.#options.tailable === true && this.#options.awaitData !== true) ||
          this.#options.timeoutMode === 'iteration',
      }),
      session,
    });
    return result;
  }

  protected override onReply(cursor: Document): void {
    this.#returned += (cursor['firstBatch'] ?? cursor['nextBatch'] ?? []).length;
  }

  override rewind(): void {
    super.rewind();
    this.#returned = 0;
  }

  /** No more than the limit leaves. */
  protected override nextBatchSize(batchSize: number | undefined): number | undefined {
    const limit = Math.abs(this.#options.limit ?? 0);
    if (limit === 0) return batchSize;
    const left = Math.max(1, limit - this.#returned);
    return batchSize === undefined || batchSize === 0 || batchSize > left ? left : batchSize;
  }

  protected override get explains(): boolean {
    return explainVerbosity(this.#options.explain) !== undefined;
  }

  protected override async explainCommand(
    explain: ExplainVerbosityLike | ExplainCommandOptions,
    options: CursorOptions,
  ): Promise<Document> {
    const command = findCommand(this.collection, this.#filter, this.#options);
    return this.scope.run(explained(command, explain), options, {
      kind: 'read',
      ignoresRaw: true,
    });
  }

  private get collection(): string {
    return this.scope.collection ?? '';
  }

  /** How many documents match, skip and limit included. */
  async count(options: CountOptions = {}): Promise<number> {
    const { hint, collation, maxTimeMS, readConcern, readPreference } = this.#options;
    const merged: CountOptions = {
      ...fieldsOf({ hint, collation, maxTimeMS, readConcern, readPreference }),
      ...fieldsOf({ limit: this.#options.limit, skip: this.#options.skip }),
      ...options,
    };
    const command = countCommand(this.collection, this.#filter, merged);
    const reply = await this.scope.run(command, merged, {
      kind: 'read',
      takesReadConcern: true,
      ignoresRaw: true,
    });
    return reply['n'];
  }

  filter(filter: Document): this {
    this.throwIfOpened();
    this.#filter = filter;
    return this;
  }

  hint(hint: Hint): this {
    return this.#set({ hint });
  }

  min(min: Document): this {
    return this.#set({ min });
  }

  max(max: Document): this {
    return this.#set({ max });
  }

  returnKey(returnKey: boolean): this {
    return this.#set({ returnKey });
  }

  showRecordId(showRecordId: boolean): this {
    return this.#set({ showRecordId });
  }

  comment(comment: unknown): this {
    return this.#set({ comment });
  }

  /** Milliseconds that the server waits for new documents of a tailable cursor. */
  maxAwaitTimeMS(maxAwaitTimeMS: number): this {
    if (typeof maxAwaitTimeMS !== 'number') {
      throw new MongoInvalidArgumentError('Argument for maxAwaitTimeMS must be a number');
    }
    return this.#set({ maxAwaitTimeMS });
  }

  /** What of each document comes back; its type is the caller's to say. */
  project<Result extends Document = Document>(projection: Document): FindCursor<Result> {
    this.#set({ projection });
    return retyped<Result>(this);
  }

  sort(sort: Sort, direction?: SortDirection): this {
    if (this.#options.tailable === true) {
      throw new MongoTailableCursorError('Tailable cursor does not support sorting');
    }
    this.throwIfOpened();
    const formatted = formatSort(sort, direction);
    if (formatted !== undefined) Reflect.set(this.#options, 'sort', formatted);
    return this;
  }

  allowDiskUse(allowDiskUse = true): this {
    this.throwIfOpened();
    if (this.#options.sort === undefined) {
      throw new MongoInvalidArgumentError('Option "allowDiskUse" requires a sort specification');
    }
    return this.#set({ allowDiskUse });
  }

  collation(collation: CollationOptions): this {
    return this.#set({ collation });
  }

  limit(limit: number): this {
    if (this.#options.tailable === true) {
      throw new MongoTailableCursorError('Tailable cursor does not support limit');
    }
    if (typeof limit !== 'number') {
      throw new MongoInvalidArgumentError('Operation "limit" requires an integer');
    }
    return this.#set({ limit });
  }

  skip(skip: number): this {
    if (this.#options.tailable === true) {
      throw new MongoTailableCursorError('Tailable cursor does not support skip');
    }
    if (typeof skip !== 'number') {
      throw new MongoInvalidArgumentError('Operation "skip" requires an integer');
    }
    return this.#set({ skip });
  }

  /** `$comment` and its like, as old code writes them. */
  addQueryModifier(name: string, value: string | boolean | number | Document): this {
    this.throwIfOpened();
    const field = name.replace(/^\$/, '');
    if (!MODIFIERS.has(field)) {
      throw new MongoInvalidArgumentError(`Invalid query modifier: ${name}`);
    }
    if (field === 'orderby') Reflect.set(this.#options, 'sort', formatSort(value));
    else if (field === 'query' && typeof value === 'object') this.#filter = value;
    else Reflect.set(this.#options, field === 'explain' ? 'explain' : field, value);
    return this;
  }

  #set(options: FindOptions): this {
    this.throwIfOpened();
    Object.assign(this.#options, options);
    return this;
  }
}

const MODIFIERS = new Set([
  'comment',
  'explain',
  'hint',
  'max',
  'maxTimeMS',
  'min',
  'orderby',
  'query',
  'returnKey',
  'showDiskLoc',
]);

/** Without what is undefined. */
function fieldsOf(fields: Document): Document {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The same cursor: its projection or transform decides what its documents are, and only their author knows that. */
function retyped<Result>(cursor: FindCursor): FindCursor<Result> {
  return cursor as FindCursor<Result>;
}
