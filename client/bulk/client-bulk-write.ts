/**
 * The client's bulkWrite: operations on many collections in one command.
 * Source: driver specification "CRUD", "Client Bulk Write"; MongoDB's manual, "bulkWrite (database command)".
 */
import type { Document } from 'bson';
import { AbstractCursor } from '../cursors/abstract-cursor.ts';
import { encodeDocument } from '../documents/bson-options.ts';
import {
  MongoClientBulkWriteExecutionError,
  MongoInvalidArgumentError,
  MongoOperationTimeoutError,
} from '../errors/driver-errors.ts';
import { MongoServerError } from '../errors/mongo-error.ts';
import type { Deadline } from '../operations/deadline.ts';
import { execute, type BuiltCommand, type CommandResult } from '../operations/execute.ts';
import { fieldsFrom, type Scope } from '../operations/scope.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { ServerTraits } from '../transport/contract.ts';
import type { CommandOperationOptions } from '../types/options.ts';
import { formatSort } from '../types/sort.ts';
import { checkReplacement, checkUpdate } from './write-models.ts';

/** One operation: `{ namespace: 'db.collection', name: 'insertOne', document }` and its like. */
export interface ClientBulkWriteModel extends Document {
  name: 'insertOne' | 'updateOne' | 'updateMany' | 'replaceOne' | 'deleteOne' | 'deleteMany';
  namespace: string;
}

export interface ClientBulkWriteOptions extends CommandOperationOptions {
  ordered?: boolean;
  bypassDocumentValidation?: boolean;
  let?: Document;
  /** Results of single operations, besides the counts. */
  verboseResults?: boolean;
}

export interface ClientBulkWriteResult {
  acknowledged: boolean;
  insertedCount: number;
  upsertedCount: number;
  matchedCount: number;
  modifiedCount: number;
  deletedCount: number;
  insertResults?: Map<number, { insertedId: unknown }> | undefined;
  updateResults?: Map<number, Document> | undefined;
  deleteResults?: Map<number, { deletedCount: number }> | undefined;
}

export interface ClientBulkWriteError {
  code: number;
  message: string;
}

export class MongoClientBulkWriteError extends MongoServerError {
  writeConcernErrors: Document[] = [];
  /** By the operation's place. */
  writeErrors = new Map<number, ClientBulkWriteError>();
  declare partialResult?: ClientBulkWriteResult;

  override get name(): string {
    return 'MongoClientBulkWriteError';
  }
}

interface EncodedOperation {
  readonly namespace: string;
  /** Without the number of its namespace, which depends on the batch. */
  readonly fields: Document;
  readonly insertedId: unknown;
  readonly isMulti: boolean;
}

const COMMAND_BYTES = 16 * 1024;

/** @throws MongoClientBulkWriteError with what was done until then. */
export async function clientBulkWrite(
  scope: Scope,
  models: readonly ClientBulkWriteModel[],
  options: ClientBulkWriteOptions,
): Promise<ClientBulkWriteResult> {
  if (models.length === 0) {
    throw new MongoClientBulkWriteExecutionError('No client bulk write models were provided.');
  }
  const isOrdered = options.ordered !== false;
  const isUnacknowledged = scope.writeConcern(options)?.w === 0;
  if (isUnacknowledged && options.verboseResults === true) {
    throw new MongoInvalidArgumentError(
      'Cannot request unacknowledged write concern and verbose results',
    );
  }
  if (isUnacknowledged && isOrdered) {
    throw new MongoInvalidArgumentError(
      'Cannot request unacknowledged write concern and ordered writes',
    );
  }
  const operations = models.map((model) => encodeModel(scope, model));
  const run = new BulkRun(scope, operations, options);
  return run.all(isUnacknowledged);
}

function encodeModel(scope: Scope, model: ClientBulkWriteModel): EncodedOperation {
  const { name, namespace, filter, update, replacement, document } = model;
  const rest = fieldsFrom(model, ['hint', 'collation', 'upsert', 'arrayFilters']);
  const sort = formatSort(model['sort']);
  if (sort !== undefined) rest['sort'] = sort;
  const isMulti = name === 'updateMany' || name === 'deleteMany';
  switch (name) {
    case 'insertOne': {
      const { _id, ...rest }: Document = document;
      const insertedId: unknown = _id ?? scope.client.settings.pkFactory.createPk();
      return { namespace, fields: { document: { _id: insertedId, ...rest } }, insertedId, isMulti };
    }
    case 'deleteOne':
    case 'deleteMany':
      return {
        namespace,
        fields: { filter, multi: isMulti, ...rest },
        insertedId: undefined,
        isMulti,
      };
    case 'replaceOne':
      checkReplacement(replacement);
      return {
        namespace,
        fields: { filter, updateMods: replacement, multi: false, ...rest },
        insertedId: undefined,
        isMulti,
      };
    case 'updateOne':
    case 'updateMany':
      checkUpdate(update);
      return {
        namespace,
        fields: { filter, updateMods: update, multi: isMulti, ...rest },
        insertedId: undefined,
        isMulti,
      };
    default:
      throw new MongoInvalidArgumentError(`Unknown operation of a bulk write: ${String(name)}`);
  }
}

const KIND: Readonly<Record<string, string>> = { document: 'insert', updateMods: 'update' };

/** The operation's command name comes first, and tells what it is. */
function kindOf({ fields }: EncodedOperation): string {
  return KIND[Object.keys(fields).find((name) => name in KIND) ?? ''] ?? 'delete';
}

class BulkRun {
  private readonly scope: Scope;
  private readonly operations: readonly EncodedOperation[];
  private readonly options: ClientBulkWriteOptions;
  private readonly deadline: Deadline;
  private readonly result: ClientBulkWriteResult;
  private readonly writeErrors = new Map<number, ClientBulkWriteError>();
  private readonly writeConcernErrors: Document[] = [];
  private done = 0;

  constructor(
    scope: Scope,
    operations: readonly EncodedOperation[],
    options: ClientBulkWriteOptions,
  ) {
    this.scope = scope;
    this.operations = operations;
    this.options = options;
    this.deadline = scope.deadline(options);
    const isVerbose = options.verboseResults === true;
    this.result = {
      acknowledged: true,
      insertedCount: 0,
      upsertedCount: 0,
      matchedCount: 0,
      modifiedCount: 0,
      deletedCount: 0,
      insertResults: isVerbose ? new Map() : undefined,
      updateResults: isVerbose ? new Map() : undefined,
      deleteResults: isVerbose ? new Map() : undefined,
    };
  }

  async all(isUnacknowledged: boolean): Promise<ClientBulkWriteResult> {
    while (this.done < this.operations.length) {
      const batch: EncodedOperation[] = [];
      const cursor = new BulkResultsCursor(this.scope, this.options, {
        build: (traits) => {
          batch.splice(0, batch.length, ...this.take(traits));
          return this.command(batch);
        },
        mayRetry: !this.operations.slice(this.done).some(({ isMulti }) => isMulti),
      });
      try {
        if (isUnacknowledged) await cursor.send(this.deadline);
        else await this.read(cursor, batch);
      } catch (error) {
        throw this.failed(error);
      }
      this.done += batch.length;
      if (this.options.ordered !== false && this.writeErrors.size > 0) break;
    }
    if (isUnacknowledged) return { ...this.result, acknowledged: false };
    if (this.writeErrors.size > 0 || this.writeConcernErrors.length > 0) throw this.error();
    return this.result;
  }

  private failed(error: unknown): unknown {
    if (!(error instanceof MongoServerError) || error instanceof MongoOperationTimeoutError)
      return error;
    const failure = this.error('Mongo client bulk write encountered an error during execution');
    failure.cause = error;
    return failure;
  }

  private error(message = this.defaultMessage): MongoClientBulkWriteError {
    const error = new MongoClientBulkWriteError({ message });
    error.writeErrors = this.writeErrors;
    error.writeConcernErrors = this.writeConcernErrors;
    if (this.wroteSomething) error.partialResult = this.result;
    return error;
  }

  private get defaultMessage(): string {
    return this.options.ordered !== false && this.writeErrors.size > 0
      ? 'Mongo client ordered bulk write encountered a write error.'
      : 'Mongo client bulk write encountered errors during execution.';
  }

  private get wroteSomething(): boolean {
    const { insertedCount, upsertedCount, matchedCount, deletedCount } = this.result;
    const isOrdered = this.options.ordered !== false;
    const succeeded = isOrdered
      ? Math.min(this.operations.length, ...this.writeErrors.keys())
      : this.done - this.writeErrors.size;
    return insertedCount + upsertedCount + matchedCount + deletedCount > 0 || succeeded > 0;
  }

  /** As many of those left as one command takes. */
  private take(traits: ServerTraits): readonly EncodedOperation[] {
    const left = this.operations.slice(this.done, this.done + traits.maxWriteBatchSize);
    const mostBytes = traits.maxMessageSizeBytes - COMMAND_BYTES;
    const bson = this.scope.bsonOptions(this.options);
    const namespaces = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const operation of left) {
      const size = encodeDocument(operation.fields, bson).length;
      if (size > traits.maxBsonObjectSize + COMMAND_BYTES) {
        throw new MongoInvalidArgumentError(
          `Client bulk write operation ops of length ${size} exceeds the max bson object size of ${traits.maxBsonObjectSize}`,
        );
      }
      bytes += size + OPERATION_BYTES;
      if (!namespaces.has(operation.namespace)) {
        namespaces.add(operation.namespace);
        bytes += operation.namespace.length + NAMESPACE_BYTES;
      }
      if (count > 0 && bytes > mostBytes) break;
      count += 1;
    }
    return left.slice(0, count);
  }

  private command(batch: readonly EncodedOperation[]): BuiltCommand {
    const bson = this.scope.bsonOptions(this.options);
    const namespaces = [...new Set(batch.map(({ namespace }) => namespace))];
    const { bypassDocumentValidation, verboseResults, ordered } = this.options;
    return {
      command: {
        bulkWrite: 1,
        errorsOnly: verboseResults !== true,
        ordered: ordered !== false,
        ...(bypassDocumentValidation === undefined ? {} : { bypassDocumentValidation }),
        ...fieldsFrom(this.options, ['let', 'comment', 'maxTimeMS']),
      },
      sequences: [
        {
          field: 'ops',
          documents: batch.map((operation) => {
            const number = namespaces.indexOf(operation.namespace);
            return encodeDocument({ [kindOf(operation)]: number, ...operation.fields }, bson);
          }),
        },
        { field: 'nsInfo', documents: namespaces.map((ns) => encodeDocument({ ns }, bson)) },
      ],
    };
  }

  private async read(cursor: BulkResultsCursor, batch: readonly EncodedOperation[]): Promise<void> {
    let reply: Document | undefined;
    const takeCounts = (): void => {
      if (reply !== undefined || cursor.reply === undefined) return;
      reply = cursor.reply;
      this.result.insertedCount += Number(reply['nInserted'] ?? 0);
      this.result.upsertedCount += Number(reply['nUpserted'] ?? 0);
      this.result.matchedCount += Number(reply['nMatched'] ?? 0);
      this.result.modifiedCount += Number(reply['nModified'] ?? 0);
      this.result.deletedCount += Number(reply['nDeleted'] ?? 0);
      if (cursor.writeConcernError !== undefined)
        this.writeConcernErrors.push(cursor.writeConcernError);
    };
    try {
      for await (const document of cursor) {
        takeCounts();
        this.takeResult(document, batch);
      }
    } finally {
      takeCounts();
    }
  }

  private takeResult(document: Document, batch: readonly EncodedOperation[]): void {
    const inBatch = Number(document['idx']);
    const operation = batch[inBatch];
    const index = this.done + inBatch;
    if (Number(document['ok']) !== 1) {
      this.writeErrors.set(index, {
        code: Number(document['code']),
        message: String(document['errmsg'] ?? ''),
      });
      return;
    }
    if (operation === undefined) return;
    switch (kindOf(operation)) {
      case 'insert':
        this.result.insertResults?.set(index, { insertedId: operation.insertedId });
        break;
      case 'update': {
        const upserted: unknown = document['upserted']?._id;
        this.result.updateResults?.set(index, {
          matchedCount: Number(document['n']),
          modifiedCount: Number(document['nModified'] ?? 0),
          didUpsert: upserted !== undefined,
          ...(upserted === undefined ? {} : { upsertedId: upserted }),
        });
        break;
      }
      default:
        this.result.deleteResults?.set(index, { deletedCount: Number(document['n']) });
    }
  }
}

/** What an operation costs besides its fields, and a namespace besides its name; bytes, generous. */
const OPERATION_BYTES = 32;
const NAMESPACE_BYTES = 32;

/** The cursor of the command: one document per operation, or per error. */
class BulkResultsCursor extends AbstractCursor<Document> {
  reply: Document | undefined;
  writeConcernError: Document | undefined;
  readonly #build: (traits: ServerTraits) => BuiltCommand;
  readonly #bulkOptions: ClientBulkWriteOptions;
  readonly #mayRetry: boolean;

  constructor(
    scope: Scope,
    options: ClientBulkWriteOptions,
    command: {
      readonly build: (traits: ServerTraits) => BuiltCommand;
      readonly mayRetry: boolean;
    },
  ) {
    super(scope, options);
    this.#bulkOptions = options;
    this.#build = command.build;
    this.#mayRetry = command.mayRetry;
  }

  override clone(): BulkResultsCursor {
    const command = { build: this.#build, mayRetry: this.#mayRetry };
    return new BulkResultsCursor(this.scope, this.#bulkOptions, command);
  }

  /** Sends it without waiting for an answer. */
  async send(deadline: Deadline): Promise<void> {
    await this.#run(undefined, deadline);
  }

  protected override open(session: ClientSession, deadline: Deadline): Promise<CommandResult> {
    return this.#run(session, deadline);
  }

  #run(session: ClientSession | undefined, deadline: Deadline): Promise<CommandResult> {
    const request = this.scope.requestFor('bulkWrite', this.#build, this.#bulkOptions, {
      kind: 'write',
      mayRetry: this.#mayRetry,
      takesWriteConcern: true,
      decode: 'batch',
      deadline,
      keepsWriteConcernError: true,
    });
    return execute(this.client, { ...request, session });
  }

  protected override onReply(_cursor: Document, reply: Document): void {
    if (this.reply !== undefined) return;
    this.reply = reply;
    const concern: Document | undefined = reply['writeConcernError'];
    if (concern === undefined) return;
    const { code, errmsg, errInfo } = concern;
    this.writeConcernError = {
      code,
      message: errmsg,
      ...(errInfo === undefined ? {} : { details: errInfo }),
    };
  }
}
