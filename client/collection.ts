/**
 * A collection: every operation on its documents and indexes.
 *
 * `Collection<User>` checks filters, updates and projections against the schema and gives typed results; without a schema
 * everything is allowed. Methods, options and results are the official driver's.
 */
import type { Document } from 'bson';
import type { BulkWriteResult } from './bulk/bulk-result.ts';
import { OrderedBulkOperation, UnorderedBulkOperation, withId } from './bulk/collection-bulk.ts';
import { executeBulk, type Statement } from './bulk/execute-bulk.ts';
import {
  checkReplacement,
  checkUpdate,
  deleteStatement,
  updateStatement,
  type AnyBulkWriteOperation,
} from './bulk/write-models.ts';
import type { ReadConcern } from './concerns/read-concern.ts';
import type { ReadPreference } from './concerns/read-preference.ts';
import type { WriteConcern } from './concerns/write-concern.ts';
import { AggregationCursor } from './cursors/aggregation-cursor.ts';
import {
  ChangeStream,
  type ChangeStreamDocument,
  type ChangeStreamOptions,
} from './cursors/change-stream.ts';
import { FindCursor } from './cursors/find-cursor.ts';
import { ListIndexesCursor, ListSearchIndexesCursor } from './cursors/list-cursors.ts';
import { ListCollectionsCursor } from './cursors/list-cursors.ts';
import type { BSONSerializeOptions } from './documents/bson-options.ts';
import { MongoAPIError, MongoInvalidArgumentError } from './errors/driver-errors.ts';
import { MongoServerError } from './errors/mongo-error.ts';
import { checkPipeline } from './operations/aggregate.ts';
import { countCommand } from './operations/count.ts';
import { explained, explainVerbosity } from './operations/explain.ts';
import { findAndModify } from './operations/find-and-modify.ts';
import { createIndexes, describeIndex } from './operations/indexes.ts';
import { fieldsFrom, type Scope } from './operations/scope.ts';
import { runWrite, type WriteReply } from './operations/write.ts';
import type { Filter } from './types/filter.ts';
import type * as Options from './types/options.ts';
import type { Projected, Projection } from './types/projection.ts';
import type * as Results from './types/results.ts';
import type { Flatten, OptionalUnlessRequiredId, WithId, WithoutId } from './types/schema.ts';
import type { Hint } from './types/sort.ts';
import type { UpdateFilter } from './types/update.ts';

/** What a collection says of its database. */
export interface DatabaseHandle {
  readonly databaseName: string;
  readonly namespace: string;
  command(command: Document, options?: Options.CommandOperationOptions): Promise<Document>;
}

type FindOptions = Options.FindOptions;

export class Collection<Schema extends Document = Document> {
  readonly db: DatabaseHandle;
  readonly #scope: Scope;
  #hint: Hint | undefined;

  constructor(db: DatabaseHandle, scope: Scope) {
    this.db = db;
    this.#scope = scope;
  }

  get client() {
    return this.#scope.client;
  }

  get dbName(): string {
    return this.#scope.database;
  }

  get collectionName(): string {
    return this.#scope.collection ?? '';
  }

  get namespace(): string {
    return this.#scope.namespace;
  }

  get readConcern(): ReadConcern | undefined {
    return this.#scope.settings.readConcern;
  }

  get readPreference(): ReadPreference | undefined {
    return this.#scope.settings.readPreference;
  }

  get writeConcern(): WriteConcern | undefined {
    return this.#scope.settings.writeConcern;
  }

  get bsonOptions(): BSONSerializeOptions {
    return this.#scope.settings.bson;
  }

  get timeoutMS(): number | undefined {
    return this.#scope.settings.timeoutMS;
  }

  /** Used by finds and aggregations that name no other. */
  get hint(): Hint | undefined {
    return this.#hint;
  }

  set hint(hint: Hint | undefined) {
    this.#hint = hint;
  }

  // Writing

  async insertOne(
    document: OptionalUnlessRequiredId<Schema>,
    options: Options.InsertOneOptions = {},
  ): Promise<Results.InsertOneResult<Schema>> {
    const inserted = withId(this.#scope, document, options.forceServerObjectId);
    const reply = await this.#write('insert', [inserted], options, true);
    return { acknowledged: reply.acknowledged, insertedId: inserted['_id'] };
  }

  async insertMany(
    documents: readonly OptionalUnlessRequiredId<Schema>[],
    options: Options.BulkWriteOptions = {},
  ): Promise<Results.InsertManyResult<Schema>> {
    if (!Array.isArray(documents)) {
      throw new MongoInvalidArgumentError('Argument "docs" must be an array of documents');
    }
    checkNotEmpty(documents);
    const statements = documents.map((document: unknown, index): Statement => {
      if (typeof document !== 'object' || document === null) {
        throw new MongoInvalidArgumentError(
          'Collection.insertMany() cannot be called with an array that has null/undefined values',
        );
      }
      return {
        kind: 'insert',
        document: withId(this.#scope, document, options.forceServerObjectId),
        index,
      };
    });
    const result = await executeBulk(this.#scope, statements, options);
    return {
      acknowledged: this.#isAcknowledged(options),
      insertedCount: result.insertedCount,
      insertedIds: Object.fromEntries(
        statements.map(({ document, index }) => [index, document['_id']]),
      ),
    };
  }

  async bulkWrite(
    operations: readonly AnyBulkWriteOperation<Schema>[],
    options: Options.BulkWriteOptions = {},
  ): Promise<BulkWriteResult> {
    if (!Array.isArray(operations)) {
      throw new MongoInvalidArgumentError('Argument "operations" must be an array of documents');
    }
    checkNotEmpty(operations);
    const bulk =
      options.ordered === false
        ? this.initializeUnorderedBulkOp(options)
        : this.initializeOrderedBulkOp(options);
    for (const operation of operations) bulk.raw(operation);
    return bulk.execute(options);
  }

  initializeOrderedBulkOp(options: Options.BulkWriteOptions = {}): OrderedBulkOperation {
    return new OrderedBulkOperation(this.#scope, options);
  }

  initializeUnorderedBulkOp(options: Options.BulkWriteOptions = {}): UnorderedBulkOperation {
    return new UnorderedBulkOperation(this.#scope, options);
  }

  async updateOne(
    filter: Filter<Schema>,
    update: UpdateFilter<Schema> | readonly Document[],
    options: Options.UpdateOptions = {},
  ): Promise<Results.UpdateResult<Schema>> {
    checkUpdate(update);
    return this.#update(updateStatement(filter, update, options), options, true);
  }

  async updateMany(
    filter: Filter<Schema>,
    update: UpdateFilter<Schema> | readonly Document[],
    options: Options.UpdateOptions = {},
  ): Promise<Results.UpdateResult<Schema>> {
    checkUpdate(update);
    return this.#update(
      updateStatement(filter, update, { ...options, multi: true }),
      options,
      false,
    );
  }

  async replaceOne(
    filter: Filter<Schema>,
    replacement: WithoutId<Schema>,
    options: Options.ReplaceOptions = {},
  ): Promise<Results.UpdateResult<Schema>> {
    checkReplacement(replacement);
    return this.#update(updateStatement(filter, replacement, options), options, true);
  }

  async deleteOne(
    filter: Filter<Schema> = {},
    options: Options.DeleteOptions = {},
  ): Promise<Results.DeleteResult> {
    return this.#delete(deleteStatement(filter, 1, options), options, true);
  }

  async deleteMany(
    filter: Filter<Schema> = {},
    options: Options.DeleteOptions = {},
  ): Promise<Results.DeleteResult> {
    return this.#delete(deleteStatement(filter, 0, options), options, false);
  }

  findOneAndDelete(
    filter: Filter<Schema>,
    options: Options.FindOneAndDeleteOptions & { includeResultMetadata: true },
  ): Promise<Results.ModifyResult<Schema>>;
  findOneAndDelete(
    filter: Filter<Schema>,
    options?: Options.FindOneAndDeleteOptions,
  ): Promise<WithId<Schema> | null>;
  async findOneAndDelete(
    filter: Filter<Schema>,
    options: Options.FindOneAndDeleteOptions = {},
  ): Promise<unknown> {
    return valueOf(await findAndModify(this.#scope, filter, { remove: true }, options), options);
  }

  findOneAndReplace(
    filter: Filter<Schema>,
    replacement: WithoutId<Schema>,
    options: Options.FindOneAndReplaceOptions & { includeResultMetadata: true },
  ): Promise<Results.ModifyResult<Schema>>;
  findOneAndReplace(
    filter: Filter<Schema>,
    replacement: WithoutId<Schema>,
    options?: Options.FindOneAndReplaceOptions,
  ): Promise<WithId<Schema> | null>;
  async findOneAndReplace(
    filter: Filter<Schema>,
    replacement: WithoutId<Schema>,
    options: Options.FindOneAndReplaceOptions = {},
  ): Promise<unknown> {
    if (typeof replacement !== 'object' || replacement === null) {
      throw new MongoInvalidArgumentError('Argument "replacement" must be an object');
    }
    checkReplacement(replacement);
    return valueOf(
      await findAndModify(this.#scope, filter, { update: replacement }, options),
      options,
    );
  }

  findOneAndUpdate(
    filter: Filter<Schema>,
    update: UpdateFilter<Schema> | readonly Document[],
    options: Options.FindOneAndUpdateOptions & { includeResultMetadata: true },
  ): Promise<Results.ModifyResult<Schema>>;
  findOneAndUpdate(
    filter: Filter<Schema>,
    update: UpdateFilter<Schema> | readonly Document[],
    options?: Options.FindOneAndUpdateOptions,
  ): Promise<WithId<Schema> | null>;
  async findOneAndUpdate(
    filter: Filter<Schema>,
    update: UpdateFilter<Schema> | readonly Document[],
    options: Options.FindOneAndUpdateOptions = {},
  ): Promise<unknown> {
    if (typeof update !== 'object' || update === null) {
      throw new MongoInvalidArgumentError('Argument "update" must be an object');
    }
    checkUpdate(update);
    return valueOf(await findAndModify(this.#scope, filter, { update }, options), options);
  }

  // Reading

  find<const P extends Projection<Schema>>(
    filter: Filter<Schema>,
    options: Omit<FindOptions, 'projection'> & { projection: P },
  ): FindCursor<Projected<Schema, P>>;
  find(filter?: Filter<Schema>, options?: FindOptions): FindCursor<WithId<Schema>>;
  find<T extends Document>(filter: Filter<Schema>, options?: FindOptions): FindCursor<T>;
  find(filter?: Filter<Schema>, options: FindOptions = {}): FindCursor {
    return new FindCursor(this.#scope, filter ?? {}, this.#hinted(options));
  }

  findOne<const P extends Projection<Schema>>(
    filter: Filter<Schema>,
    options: Omit<FindOptions, 'projection'> & { projection: P },
  ): Promise<Projected<Schema, P> | null>;
  findOne(filter?: Filter<Schema>, options?: FindOptions): Promise<WithId<Schema> | null>;
  findOne<T>(filter?: Filter<Schema>, options?: FindOptions): Promise<T | null>;
  async findOne(filter?: Filter<Schema>, options: FindOptions = {}): Promise<unknown> {
    const { batchSize: _all, noCursorTimeout: _short, ...rest } = options;
    const cursor = new FindCursor(this.#scope, filter ?? {}, { ...this.#hinted(rest), limit: -1 });
    const document = await cursor.next();
    await cursor.close();
    return document;
  }

  aggregate<T extends Document = Document>(
    pipeline: readonly Document[] = [],
    options: Options.AggregateOptions = {},
  ): AggregationCursor<T> {
    checkPipeline(pipeline);
    return new AggregationCursor<T>(this.#scope, pipeline, this.#hinted(options));
  }

  watch<Local extends Document = Schema, Change extends Document = ChangeStreamDocument<Local>>(
    pipeline: readonly Document[] = [],
    options: ChangeStreamOptions = {},
  ): ChangeStream<Local, Change> {
    return new ChangeStream<Local, Change>(this.#scope, 'collection', pipeline, options);
  }

  /** Counts by what the server keeps of the collection, not by looking. */
  async estimatedDocumentCount(
    options: Options.EstimatedDocumentCountOptions = {},
  ): Promise<number> {
    const command = {
      count: this.collectionName,
      ...fieldsFrom(options, ['maxTimeMS', 'comment', 'rawData']),
    };
    const reply = await this.#read(explained(command, options.explain), options);
    return reply['n'] ?? 0;
  }

  async countDocuments(
    filter?: Filter<Schema>,
    options: Options.CountDocumentsOptions = {},
  ): Promise<number> {
    const { skip, limit, ...rest } = options;
    const pipeline: Document[] = [{ $match: filter ?? {} }];
    if (typeof skip === 'number') pipeline.push({ $skip: skip });
    if (typeof limit === 'number') pipeline.push({ $limit: limit });
    pipeline.push({ $group: { _id: 1, n: { $sum: 1 } } });
    const cursor = new AggregationCursor<{ n: number }>(this.#scope, pipeline, this.#hinted(rest));
    const [counted] = await cursor.toArray();
    return counted?.n ?? 0;
  }

  /** @deprecated countDocuments counts, estimatedDocumentCount is fast. */
  async count(filter?: Filter<Schema>, options: Options.CountOptions = {}): Promise<number> {
    const command = countCommand(this.collectionName, filter ?? {}, options);
    const reply = await this.#read(explained(command, options.explain), options);
    return reply['n'];
  }

  distinct<Key extends keyof WithId<Schema> & string>(
    key: Key,
    filter?: Filter<Schema>,
    options?: Options.DistinctOptions,
  ): Promise<Flatten<WithId<Schema>[Key]>[]>;
  distinct(
    key: string,
    filter?: Filter<Schema>,
    options?: Options.DistinctOptions,
  ): Promise<Document[string][]>;
  async distinct(
    key: string,
    filter?: Filter<Schema>,
    options: Options.DistinctOptions = {},
  ): Promise<unknown> {
    const command: Document = {
      distinct: this.collectionName,
      key,
      query: filter ?? {},
      ...fieldsFrom(this.#hinted(options), [
        'collation',
        'comment',
        'hint',
        'maxTimeMS',
        'rawData',
      ]),
    };
    const reply = await this.#read(explained(command, options.explain), options);
    return explainVerbosity(options.explain) === undefined ? reply['values'] : reply;
  }

  // The collection as a whole

  async drop(options: Options.CommandOperationOptions = {}): Promise<boolean> {
    const { encryptedFields: _none, ...rest }: Document = options;
    await dropNamespace(this.#scope, rest);
    return true;
  }

  async rename(
    newName: string,
    options: Options.CommandOperationOptions & { dropTarget?: boolean } = {},
  ): Promise<Collection> {
    const command: Document = {
      renameCollection: this.namespace,
      to: `${this.dbName}.${newName}`,
      dropTarget: options.dropTarget === true,
      ...fieldsFrom(options, ['comment']),
    };
    await this.#scope.run(
      command,
      { ...options, dbName: 'admin' },
      { kind: 'other', takesWriteConcern: true, ignoresRaw: true },
    );
    return new Collection(this.db, this.#scope.with(newName, {}));
  }

  async options(options: Options.OperationOptions = {}): Promise<Document> {
    const lists = new ListCollectionsCursor(
      this.#scope.with(undefined, {}),
      { name: this.collectionName },
      { ...options, nameOnly: false },
    );
    const [found] = await lists.toArray();
    if (found === undefined) throw new MongoAPIError(`collection ${this.namespace} not found`);
    return found.options ?? {};
  }

  async isCapped(options: Options.OperationOptions = {}): Promise<boolean> {
    const { capped } = await this.options(options);
    return Boolean(capped);
  }

  // Indexes

  async createIndex(
    spec: Options.IndexSpecification,
    options: Options.CreateIndexesOptions = {},
  ): Promise<string> {
    const [name = ''] = await createIndexes(this.#scope, [describeIndex(spec, options)], options);
    return name;
  }

  createIndexes(
    descriptions: readonly Options.IndexDescription[],
    options: Options.CreateIndexesOptions = {},
  ): Promise<string[]> {
    return createIndexes(this.#scope, descriptions, { ...options });
  }

  async dropIndex(name: string, options: Options.CommandOperationOptions = {}): Promise<Document> {
    const command = {
      dropIndexes: this.collectionName,
      index: name,
      ...fieldsFrom(options, ['comment', 'maxTimeMS']),
    };
    return this.#scope.run(command, options, {
      kind: 'other',
      takesWriteConcern: true,
      ignoresRaw: true,
    });
  }

  async dropIndexes(options: Options.CommandOperationOptions = {}): Promise<boolean> {
    await this.dropIndex('*', options);
    return true;
  }

  listIndexes(options: Options.CursorOptions = {}): ListIndexesCursor {
    return new ListIndexesCursor(this.#scope, options);
  }

  indexes(
    options: Options.CursorOptions & { full: false },
  ): Promise<Record<string, [string, unknown][]>>;
  indexes(options?: Options.CursorOptions & { full?: boolean }): Promise<Document[]>;
  async indexes(options: Options.CursorOptions & { full?: boolean } = {}): Promise<unknown> {
    const { full = true, ...rest } = options;
    const found = await this.listIndexes(rest).toArray();
    return full ? found : compactIndexes(found);
  }

  indexInformation(options: Options.CursorOptions & { full: true }): Promise<Document[]>;
  indexInformation(
    options?: Options.CursorOptions & { full?: boolean },
  ): Promise<Record<string, [string, unknown][]>>;
  async indexInformation(
    options: Options.CursorOptions & { full?: boolean } = {},
  ): Promise<unknown> {
    const { full = false, ...rest } = options;
    const found = await this.listIndexes(rest).toArray();
    return full ? found : compactIndexes(found);
  }

  async indexExists(
    indexes: string | readonly string[],
    options: Options.CursorOptions = {},
  ): Promise<boolean> {
    const found = await this.listIndexes(options).toArray();
    const names = new Set(found.map(({ name }) => String(name)));
    return (typeof indexes === 'string' ? [indexes] : indexes).every((name) => names.has(name));
  }

  // Search indexes: the server says whether it has any.

  listSearchIndexes(options?: Options.AggregateOptions): ListSearchIndexesCursor;
  listSearchIndexes(name: string, options?: Options.AggregateOptions): ListSearchIndexesCursor;
  listSearchIndexes(
    nameOrOptions: string | Options.AggregateOptions = {},
    options: Options.AggregateOptions = {},
  ): ListSearchIndexesCursor {
    const isName = typeof nameOrOptions === 'string';
    return new ListSearchIndexesCursor(
      this.#scope,
      isName ? nameOrOptions : null,
      isName ? options : nameOrOptions,
    );
  }

  async createSearchIndex(description: Document): Promise<string> {
    const [name = ''] = await this.createSearchIndexes([description]);
    return name;
  }

  async createSearchIndexes(descriptions: readonly Document[]): Promise<string[]> {
    const command = { createSearchIndexes: this.collectionName, indexes: descriptions };
    const reply = await this.#scope.run(command, {}, { kind: 'other', ignoresRaw: true });
    const created: readonly Document[] = reply['indexesCreated'] ?? [];
    return created.map(({ name }) => String(name));
  }

  async dropSearchIndex(name: string): Promise<void> {
    const command = { dropSearchIndex: this.collectionName, name };
    try {
      await this.#scope.run(command, {}, { kind: 'other', ignoresRaw: true });
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== NAMESPACE_NOT_FOUND) throw error;
    }
  }

  async updateSearchIndex(name: string, definition: Document): Promise<void> {
    const command = { updateSearchIndex: this.collectionName, name, definition };
    await this.#scope.run(command, {}, { kind: 'other', ignoresRaw: true });
  }

  // Inside

  #hinted<T extends { hint?: Hint }>(options: T): T {
    return this.#hint === undefined || options.hint !== undefined
      ? options
      : { ...options, hint: this.#hint };
  }

  #isAcknowledged(options: Options.CommandOperationOptions): boolean {
    return this.#scope.writeConcern(options)?.w !== 0;
  }

  #read(command: Document, options: Options.CommandOperationOptions): Promise<Document> {
    return this.#scope.run(command, options, {
      kind: 'read',
      takesReadConcern: true,
      ignoresRaw: true,
    });
  }

  #write(
    name: 'insert' | 'update' | 'delete',
    documents: readonly Document[],
    options: Options.BulkWriteOptions & { explain?: unknown },
    mayRetry: boolean,
  ): Promise<WriteReply> {
    return runWrite(this.#scope, { name, documents, mayRetry }, options);
  }

  async #update(
    statement: Document,
    options: Options.UpdateOptions,
    mayRetry: boolean,
  ): Promise<Results.UpdateResult<Schema>> {
    const { reply, acknowledged } = await this.#write('update', [statement], options, mayRetry);
    if (explainVerbosity(options.explain) !== undefined) return explainedResult(reply);
    const upserted: readonly Document[] = reply['upserted'] ?? [];
    const n = Number(reply['n'] ?? 0);
    return {
      acknowledged,
      modifiedCount: reply['nModified'] ?? n,
      upsertedId: upserted[0]?.['_id'] ?? null,
      upsertedCount: upserted.length,
      matchedCount: upserted.length > 0 ? 0 : n,
    };
  }

  async #delete(
    statement: Document,
    options: Options.DeleteOptions,
    mayRetry: boolean,
  ): Promise<Results.DeleteResult> {
    const { reply, acknowledged } = await this.#write('delete', [statement], options, mayRetry);
    if (explainVerbosity(options.explain) !== undefined) return explainedResult(reply);
    return { acknowledged, deletedCount: Number(reply['n'] ?? 0) };
  }
}

const NAMESPACE_NOT_FOUND = 26;

/** With the option explain the reply is a plan, whatever the operation promises otherwise. */
function explainedResult<T>(reply: Document): T {
  return reply as T;
}

function valueOf(reply: Document, options: Options.FindOneAndDeleteOptions): unknown {
  if (explainVerbosity(options.explain) !== undefined) return reply;
  return options.includeResultMetadata === true ? reply : (reply['value'] ?? null);
}

function checkNotEmpty(operations: readonly unknown[]): void {
  if (operations.length === 0) {
    throw new MongoInvalidArgumentError('Invalid BulkOperation, Batch cannot be empty');
  }
}

function compactIndexes(indexes: readonly Document[]): Record<string, [string, unknown][]> {
  return Object.fromEntries(indexes.map(({ name, key }) => [String(name), Object.entries(key)]));
}

/** Dropping what is not there is no error. */
export async function dropNamespace(
  scope: Scope,
  options: Options.CommandOperationOptions,
): Promise<void> {
  const command = { drop: scope.collection, ...fieldsFrom(options, ['comment']) };
  try {
    await scope.run(command, options, { kind: 'other', takesWriteConcern: true, ignoresRaw: true });
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== NAMESPACE_NOT_FOUND) throw error;
  }
}
