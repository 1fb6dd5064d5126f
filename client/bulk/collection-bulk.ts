/**
 * A collection's bulkWrite, insertMany, and the ordered and unordered builders of old code.
 */
import type { Document } from 'bson';
import { MongoBatchReExecutionError, MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { Scope } from '../operations/scope.ts';
import type { BulkWriteOptions, CollationOptions } from '../types/options.ts';
import type { Hint } from '../types/sort.ts';
import type { BulkWriteResult } from './bulk-result.ts';
import { executeBulk, type Statement } from './execute-bulk.ts';
import { checkReplacement, checkUpdate, deleteStatement, updateStatement } from './write-models.ts';

export const BatchType = { INSERT: 1, UPDATE: 2, DELETE: 3 } as const;
export type BatchType = (typeof BatchType)[keyof typeof BatchType];

/** Gives a document an id if it has none; the caller's document gets it, so that it can be read there. */
export function withId(
  scope: Scope,
  document: unknown,
  forceServerObjectId: boolean | undefined,
): Document {
  if (typeof document !== 'object' || document === null) {
    throw new MongoInvalidArgumentError('Document must be a valid JavaScript object');
  }
  const { settings } = scope.client;
  if (forceServerObjectId ?? settings.forceServerObjectId) return document;
  const id: unknown = document instanceof Map ? document.get('_id') : Reflect.get(document, '_id');
  if (id === undefined || id === null) {
    const created = settings.pkFactory.createPk();
    const changed: Document = document;
    if (document instanceof Map) document.set('_id', created);
    // A frozen document throws here: sent without an id it would get one that nobody could be told.
    else changed['_id'] = created;
  }
  return document;
}

type Model = Readonly<Document>;

/** Operations of a bulk, in the order in which they were added. */
export abstract class BulkOperationBase {
  readonly isOrdered: boolean;
  readonly #scope: Scope;
  readonly #options: BulkWriteOptions;
  readonly #statements: Statement[] = [];
  #executed = false;

  constructor(scope: Scope, options: BulkWriteOptions, isOrdered: boolean) {
    this.#scope = scope;
    this.#options = options;
    this.isOrdered = isOrdered;
  }

  get length(): number {
    return this.#statements.length;
  }

  get bsonOptions() {
    return this.#scope.bsonOptions(this.#options);
  }

  get writeConcern() {
    return this.#scope.writeConcern(this.#options);
  }

  /** What was added, as runs of one kind. */
  get batches(): { batchType: BatchType; operations: Document[]; originalIndexes: number[] }[] {
    const types = { insert: BatchType.INSERT, update: BatchType.UPDATE, delete: BatchType.DELETE };
    return this.#statements.map(({ kind, document, index }) => ({
      batchType: types[kind],
      operations: [document],
      originalIndexes: [index],
    }));
  }

  insert(document: Document): this {
    const { forceServerObjectId } = this.#options;
    return this.#add('insert', withId(this.#scope, document, forceServerObjectId));
  }

  /** Begins an update or a deletion of what matches. */
  find(selector: Document): FindOperators {
    if (selector === undefined || selector === null) {
      throw new MongoInvalidArgumentError('Bulk find operation must specify a selector');
    }
    return new FindOperators(this, selector);
  }

  /** Adds one model as bulkWrite takes them. @throws MongoInvalidArgumentError */
  raw(model: Model): this {
    if (model === null || typeof model !== 'object') {
      throw new MongoInvalidArgumentError('Operation must be an object with an operation key');
    }
    if ('insertOne' in model) {
      const { insertOne } = model;
      return this.insert(
        insertOne !== null && insertOne['document'] !== undefined
          ? insertOne['document']
          : insertOne,
      );
    }
    for (const name of ['replaceOne', 'updateOne', 'updateMany'] as const) {
      if (name in model) return this.#addUpdate(name, model[name]);
    }
    for (const name of ['deleteOne', 'deleteMany'] as const) {
      if (!(name in model)) continue;
      const { filter, q, ...options }: Document = model[name];
      if (q !== undefined) {
        throw new MongoInvalidArgumentError('Raw operations are not allowed');
      }
      return this.#add('delete', deleteStatement(filter, name === 'deleteOne' ? 1 : 0, options));
    }
    throw new MongoInvalidArgumentError(
      'bulkWrite only supports insertOne, updateOne, updateMany, deleteOne, deleteMany',
    );
  }

  /** @internal */
  addUpdate(statement: Document): this {
    return this.#add('update', statement);
  }

  /** @internal */
  addDelete(statement: Document): this {
    return this.#add('delete', statement);
  }

  async execute(options: BulkWriteOptions = {}): Promise<BulkWriteResult> {
    if (this.#executed)
      throw new MongoBatchReExecutionError(
        'This batch has already been executed, create new batch to execute',
      );
    if (this.#statements.length === 0) {
      throw new MongoInvalidArgumentError('Invalid BulkOperation, Batch cannot be empty');
    }
    this.#executed = true;
    return executeBulk(this.#scope, this.#statements, {
      ...this.#options,
      ...options,
      ordered: this.isOrdered,
    });
  }

  #addUpdate(name: 'replaceOne' | 'updateOne' | 'updateMany', model: Document): this {
    const { filter, update, replacement, q, ...options } = model;
    if (q !== undefined) throw new MongoInvalidArgumentError('Raw operations are not allowed');
    if (name === 'replaceOne') {
      checkReplacement(replacement, 'use');
      return this.#add('update', updateStatement(filter, replacement, options));
    }
    checkUpdate(update);
    return this.#add(
      'update',
      updateStatement(filter, update, { ...options, multi: name === 'updateMany' }),
    );
  }

  #add(kind: Statement['kind'], document: Document): this {
    this.#statements.push({ kind, document, index: this.#statements.length });
    return this;
  }
}

export class OrderedBulkOperation extends BulkOperationBase {
  constructor(scope: Scope, options: BulkWriteOptions) {
    super(scope, options, true);
  }
}

export class UnorderedBulkOperation extends BulkOperationBase {
  constructor(scope: Scope, options: BulkWriteOptions) {
    super(scope, options, false);
  }
}

/** bulk.find(filter).upsert().updateOne(update) */
export class FindOperators {
  readonly bulkOperation: BulkOperationBase;
  readonly #selector: Document;
  readonly #options: {
    upsert?: boolean;
    hint?: Hint;
    collation?: CollationOptions;
    arrayFilters?: readonly Document[];
  } = {};

  constructor(bulk: BulkOperationBase, selector: Document) {
    this.bulkOperation = bulk;
    this.#selector = selector;
  }

  update(update: Document | readonly Document[]): BulkOperationBase {
    checkUpdate(update);
    return this.#update(update, true);
  }

  updateOne(update: Document | readonly Document[]): BulkOperationBase {
    checkUpdate(update);
    return this.#update(update, false);
  }

  replaceOne(replacement: Document): BulkOperationBase {
    checkReplacement(replacement, 'use');
    return this.#update(replacement, false);
  }

  deleteOne(): BulkOperationBase {
    return this.bulkOperation.addDelete(deleteStatement(this.#selector, 1, this.#options));
  }

  delete(): BulkOperationBase {
    return this.bulkOperation.addDelete(deleteStatement(this.#selector, 0, this.#options));
  }

  upsert(): this {
    this.#options.upsert = true;
    return this;
  }

  hint(hint: Hint): this {
    this.#options.hint = hint;
    return this;
  }

  collation(collation: CollationOptions): this {
    this.#options.collation = collation;
    return this;
  }

  arrayFilters(arrayFilters: readonly Document[]): this {
    this.#options.arrayFilters = arrayFilters;
    return this;
  }

  #update(update: unknown, multi: boolean): BulkOperationBase {
    return this.bulkOperation.addUpdate(
      updateStatement(this.#selector, update, { ...this.#options, multi }),
    );
  }
}
