/**
 * A database: its collections, commands, views, users, profiler.
 */
import type { Document } from 'bson';
import { Admin } from './admin.ts';
import { Collection, dropNamespace, type DatabaseHandle } from './collection.ts';
import type { ReadConcern } from './concerns/read-concern.ts';
import { ReadPreference } from './concerns/read-preference.ts';
import type { WriteConcern } from './concerns/write-concern.ts';
import { AggregationCursor } from './cursors/aggregation-cursor.ts';
import {
  ChangeStream,
  type ChangeStreamDocument,
  type ChangeStreamOptions,
} from './cursors/change-stream.ts';
import { ListCollectionsCursor, type CollectionInfo } from './cursors/list-cursors.ts';
import { RunCommandCursor } from './cursors/run-command-cursor.ts';
import type { BSONSerializeOptions } from './documents/bson-options.ts';
import { MongoInvalidArgumentError, MongoRuntimeError } from './errors/driver-errors.ts';
import { checkPipeline } from './operations/aggregate.ts';
import { createIndexes, describeIndex } from './operations/indexes.ts';
import { fieldsFrom, type Scope } from './operations/scope.ts';
import type * as Options from './types/options.ts';

export const ProfilingLevel = { off: 'off', slowOnly: 'slow_only', all: 'all' } as const;
export type ProfilingLevel = (typeof ProfilingLevel)[keyof typeof ProfilingLevel];

/** Options of createCollection that are fields of the command. */
const CREATE_FIELDS = [
  'capped',
  'autoIndexId',
  'size',
  'max',
  'flags',
  'storageEngine',
  'validator',
  'validationLevel',
  'validationAction',
  'indexOptionDefaults',
  'viewOn',
  'pipeline',
  'timeseries',
  'clusteredIndex',
  'expireAfterSeconds',
  'changeStreamPreAndPostImages',
  'collation',
  'comment',
  'maxTimeMS',
] as const;

export interface DbOptions extends BSONSerializeOptions {
  authSource?: string;
  forceServerObjectId?: boolean;
  readPreference?: Options.OperationOptions['readPreference'];
  readConcern?: Options.CommandOperationOptions['readConcern'];
  writeConcern?: Options.CommandOperationOptions['writeConcern'];
  retryWrites?: boolean;
  timeoutMS?: number;
}
export type CollectionOptions = DbOptions;

export class Db implements DatabaseHandle {
  static readonly SYSTEM_NAMESPACE_COLLECTION = 'system.namespaces';
  static readonly SYSTEM_INDEX_COLLECTION = 'system.indexes';
  static readonly SYSTEM_PROFILE_COLLECTION = 'system.profile';
  static readonly SYSTEM_USER_COLLECTION = 'system.users';
  static readonly SYSTEM_COMMAND_COLLECTION = '$cmd';
  static readonly SYSTEM_JS_COLLECTION = 'system.js';

  readonly #scope: Scope;

  constructor(scope: Scope) {
    checkDatabaseName(scope.database);
    this.#scope = scope;
  }

  /** @internal */
  get scope(): Scope {
    return this.#scope;
  }

  get client() {
    return this.#scope.client;
  }

  get databaseName(): string {
    return this.#scope.database;
  }

  get namespace(): string {
    return this.#scope.database;
  }

  get options(): DbOptions {
    return { ...this.#scope.settings.bson };
  }

  get readConcern(): ReadConcern | undefined {
    return this.#scope.settings.readConcern;
  }

  get readPreference(): ReadPreference {
    return this.#scope.settings.readPreference ?? ReadPreference.primary;
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

  get secondaryOk(): boolean {
    return this.readPreference.secondaryOk();
  }

  collection<Schema extends Document = Document>(
    name: string,
    options: CollectionOptions = {},
  ): Collection<Schema> {
    if (typeof options === 'function') {
      throw new MongoInvalidArgumentError('The callback form of this helper has been removed.');
    }
    return new Collection<Schema>(this, this.#scope.with(name, options));
  }

  admin(): Admin {
    return new Admin(this.#scope);
  }

  /** Runs any command. Only what is in `options` is added to it. */
  async command(
    command: Document,
    options: Options.CommandOperationOptions & { readonly noResponse?: boolean } = {},
  ): Promise<Document> {
    if (typeof command !== 'object' || command === null) {
      throw new MongoInvalidArgumentError('Command must be an object');
    }
    const { readConcern: _in, writeConcern: _the, maxTimeMS: _command, ...rest } = options;
    const given = ReadPreference.fromOptions({ readPreference: options.readPreference });
    return this.#scope.run(
      command,
      { ...rest, readPreference: given ?? ReadPreference.primary },
      { kind: 'other' },
    );
  }

  runCursorCommand(
    command: Document,
    options: Options.RunCursorCommandOptions = {},
  ): RunCommandCursor {
    const given = ReadPreference.fromOptions({ readPreference: options.readPreference });
    return new RunCommandCursor(this.#scope, command, {
      ...options,
      readPreference: given ?? ReadPreference.primary,
    });
  }

  aggregate<T extends Document = Document>(
    pipeline: readonly Document[] = [],
    options: Options.AggregateOptions = {},
  ): AggregationCursor<T> {
    checkPipeline(pipeline);
    return new AggregationCursor<T>(this.#scope, pipeline, options);
  }

  watch<Schema extends Document = Document, Change extends Document = ChangeStreamDocument<Schema>>(
    pipeline: readonly Document[] = [],
    options: ChangeStreamOptions = {},
  ): ChangeStream<Schema, Change> {
    return new ChangeStream<Schema, Change>(this.#scope, 'database', pipeline, options);
  }

  async createCollection<Schema extends Document = Document>(
    name: string,
    options: Options.CreateCollectionOptions = {},
  ): Promise<Collection<Schema>> {
    if (options.encryptedFields !== undefined) {
      throw new MongoInvalidArgumentError(
        'Option "encryptedFields" is not supported: the client has no field level encryption',
      );
    }
    const { collation, ...rest } = options;
    const command = {
      create: name,
      ...fieldsFrom(collation === undefined ? rest : { ...rest, collation }, CREATE_FIELDS),
    };
    await this.#scope.run(command, rest, {
      kind: 'other',
      takesWriteConcern: true,
      ignoresRaw: true,
    });
    return this.collection<Schema>(name, bsonOf(options));
  }

  async dropCollection(
    name: string,
    options: Options.CommandOperationOptions = {},
  ): Promise<boolean> {
    await dropNamespace(this.#scope.with(name, {}), options);
    return true;
  }

  async dropDatabase(options: Options.CommandOperationOptions = {}): Promise<boolean> {
    await this.#admin({ dropDatabase: 1 }, options);
    return true;
  }

  listCollections(
    filter: Document,
    options: Options.ListCollectionsOptions & { nameOnly: true },
  ): ListCollectionsCursor<Pick<CollectionInfo, 'name' | 'type'>>;
  listCollections(
    filter?: Document,
    options?: Options.ListCollectionsOptions,
  ): ListCollectionsCursor;
  listCollections(
    filter: Document = {},
    options: Options.ListCollectionsOptions = {},
  ): ListCollectionsCursor<Pick<CollectionInfo, 'name' | 'type'>> {
    return new ListCollectionsCursor(this.#scope, filter, options);
  }

  async collections(options: Options.ListCollectionsOptions = {}): Promise<Collection[]> {
    const found = await this.listCollections({}, { ...options, nameOnly: true }).toArray();
    return found.filter(({ name }) => !name.includes('$')).map(({ name }) => this.collection(name));
  }

  async renameCollection<Schema extends Document = Document>(
    from: string,
    to: string,
    options: Options.CommandOperationOptions & { dropTarget?: boolean } = {},
  ): Promise<Collection<Schema>> {
    await this.collection(from).rename(to, options);
    return this.collection<Schema>(to);
  }

  async createIndex(
    collection: string,
    spec: Options.IndexSpecification,
    options: Options.CreateIndexesOptions = {},
  ): Promise<string> {
    const [name = ''] = await createIndexes(
      this.#scope.with(collection, {}),
      [describeIndex(spec, options)],
      options,
    );
    return name;
  }

  indexInformation(
    name: string,
    options: Options.CursorOptions & { full: true },
  ): Promise<Document[]>;
  indexInformation(
    name: string,
    options?: Options.CursorOptions & { full?: boolean },
  ): Promise<Record<string, [string, unknown][]>>;
  indexInformation(
    name: string,
    options: Options.CursorOptions & { full?: boolean } = {},
  ): Promise<unknown> {
    const { full = false, ...rest } = options;
    const collection = this.collection(name);
    return full
      ? collection.indexInformation({ ...rest, full })
      : collection.indexInformation({ ...rest, full });
  }

  stats(options: Options.CommandOperationOptions & { scale?: number } = {}): Promise<Document> {
    const command = { dbStats: true, ...fieldsFrom(options, ['scale']) };
    return this.#scope.run(command, options, { kind: 'other' });
  }

  removeUser(username: string, options: Options.CommandOperationOptions = {}): Promise<boolean> {
    return this.#admin({ dropUser: username }, options).then(() => true);
  }

  async profilingLevel(options: Options.CommandOperationOptions = {}): Promise<string> {
    const { was } = await this.#scope.run({ profile: -1 }, options, {
      kind: 'other',
      ignoresRaw: true,
    });
    const names: readonly string[] = ['off', 'slow_only', 'all'];
    const name = names[Number(was)];
    if (name === undefined)
      throw new MongoRuntimeError(`Illegal profiling level value ${String(was)}`);
    return name;
  }

  async setProfilingLevel(
    level: ProfilingLevel,
    options: Options.CommandOperationOptions = {},
  ): Promise<ProfilingLevel> {
    const levels: readonly ProfilingLevel[] = ['off', 'slow_only', 'all'];
    const number = levels.indexOf(level);
    if (number === -1) {
      throw new MongoInvalidArgumentError('Profiling level must be one of "off,slow_only,all"');
    }
    await this.#scope.run({ profile: number }, options, { kind: 'other', ignoresRaw: true });
    return level;
  }

  #admin(command: Document, options: Options.CommandOperationOptions): Promise<Document> {
    const whole = { ...command, ...fieldsFrom(options, ['comment', 'maxTimeMS']) };
    return this.#scope.run(whole, options, {
      kind: 'other',
      takesWriteConcern: true,
      ignoresRaw: true,
    });
  }
}

function bsonOf(options: Options.CreateCollectionOptions): CollectionOptions {
  const { readConcern, writeConcern, readPreference, timeoutMS } = options;
  return {
    ...fieldsFrom(options, [
      'promoteLongs',
      'promoteValues',
      'promoteBuffers',
      'ignoreUndefined',
      'raw',
      'bsonRegExp',
      'useBigInt64',
    ]),
    ...(readConcern === undefined ? {} : { readConcern }),
    ...(writeConcern === undefined ? {} : { writeConcern }),
    ...(readPreference === undefined ? {} : { readPreference }),
    ...(timeoutMS === undefined ? {} : { timeoutMS }),
  };
}

function checkDatabaseName(name: unknown): void {
  if (typeof name !== 'string')
    throw new MongoInvalidArgumentError('Database name must be a string');
  if (name === '') throw new MongoInvalidArgumentError('Database name cannot be the empty string');
  // Whatever else a name may not have, the server says.
  if (name.includes('.'))
    throw new MongoInvalidArgumentError("Database names cannot contain the character '.'");
}
