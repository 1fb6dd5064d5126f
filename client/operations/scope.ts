/**
 * Where an operation happens, with what is inherited there: a database or a collection, its concerns, its read preference,
 * its BSON options and its time limit.
 */
import type { Document } from 'bson';
import { ReadConcern } from '../concerns/read-concern.ts';
import { ReadPreference } from '../concerns/read-preference.ts';
import { WriteConcern } from '../concerns/write-concern.ts';
import { resolveBsonOptions, type BSONSerializeOptions } from '../documents/bson-options.ts';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { Server, ServerTraits } from '../transport/contract.ts';
import type { CommandOperationOptions } from '../types/options.ts';
import type { ClientContext } from './client-context.ts';
import { Deadline } from './deadline.ts';
import { execute, type BuiltCommand, type CommandRequest } from './execute.ts';

export interface ScopeSettings {
  readonly readConcern?: ReadConcern | undefined;
  readonly writeConcern?: WriteConcern | undefined;
  readonly readPreference?: ReadPreference | undefined;
  readonly bson: BSONSerializeOptions;
  readonly timeoutMS?: number | undefined;
}

/** What an operation differs in from a plain command. */
export interface RequestTraits {
  readonly kind: CommandRequest['kind'];
  /** Default: reads may, writes say so. */
  readonly mayRetry?: boolean;
  /** Takes a read concern. */
  readonly takesReadConcern?: boolean;
  /** Takes a write concern. */
  readonly takesWriteConcern?: boolean;
  readonly decode?: CommandRequest['decode'];
  readonly deadline?: Deadline;
  readonly server?: Server | undefined;
  readonly keepsMaxTime?: boolean;
  readonly keepsWriteConcernError?: boolean;
  /** Documents of the reply are read by the operation itself: bytes are of no use to it. */
  readonly ignoresRaw?: boolean;
}

export class Scope {
  readonly client: ClientContext;
  readonly database: string;
  /** undefined: the database as a whole. */
  readonly collection: string | undefined;
  readonly settings: ScopeSettings;

  constructor(
    client: ClientContext,
    database: string,
    collection: string | undefined,
    settings: ScopeSettings,
  ) {
    this.client = client;
    this.database = database;
    this.collection = collection;
    this.settings = settings;
  }

  get namespace(): string {
    return this.collection === undefined ? this.database : `${this.database}.${this.collection}`;
  }

  /** The same place, or one below or beside it, with options of its own on top. */
  with(collection: string | undefined, options: Document, database = this.database): Scope {
    const { settings } = this;
    const { readConcern, readPreference } = options;
    return new Scope(this.client, database, collection, {
      readConcern: ReadConcern.fromOptions({ readConcern }) ?? settings.readConcern,
      writeConcern: WriteConcern.fromOptions(options) ?? settings.writeConcern,
      readPreference: ReadPreference.fromOptions({ readPreference }) ?? settings.readPreference,
      bson: resolveBsonOptions({ ...options }, settings.bson),
      timeoutMS: options['timeoutMS'] ?? settings.timeoutMS,
    });
  }

  bsonOptions(options: BSONSerializeOptions | undefined): BSONSerializeOptions {
    return resolveBsonOptions(options, this.settings.bson);
  }

  writeConcern(options: CommandOperationOptions): WriteConcern | undefined {
    return (
      WriteConcern.fromOptions(
        options.writeConcern === undefined ? {} : { writeConcern: options.writeConcern },
      ) ?? this.settings.writeConcern
    );
  }

  deadline(options: CommandOperationOptions): Deadline {
    const { session, timeoutMS } = options;
    if (
      session?.inTransaction() === true &&
      timeoutMS !== undefined &&
      session.timeoutMS !== undefined &&
      !session.explicit
    ) {
      throw new MongoInvalidArgumentError('Cannot set timeoutMS inside a transaction');
    }
    return Deadline.in(
      this.client.clock,
      timeoutMS ?? session?.timeoutMS ?? this.settings.timeoutMS,
    );
  }

  /** A command with everything that is inherited here. */
  request(
    command: Document,
    options: CommandOperationOptions,
    traits: RequestTraits,
  ): CommandRequest {
    const name = Object.keys(command)[0] ?? '';
    return this.requestFor(name, () => ({ command }), options, traits);
  }

  /** As request, for a command whose content depends on the server's limits. */
  requestFor(
    name: string,
    build: (traits: ServerTraits) => BuiltCommand,
    options: CommandOperationOptions,
    traits: RequestTraits,
  ): CommandRequest {
    const bson = this.bsonOptions(options);
    return {
      name,
      database: options.dbName ?? this.database,
      build,
      kind: traits.kind,
      mayRetry: traits.mayRetry ?? traits.kind === 'read',
      decode: traits.decode ?? 'document',
      bson: traits.ignoresRaw === true ? { ...bson, raw: false } : bson,
      readPreference:
        traits.kind === 'write'
          ? undefined
          : (ReadPreference.fromOptions(options) ?? this.settings.readPreference),
      readConcern:
        traits.takesReadConcern === true
          ? (ReadConcern.fromOptions(options) ?? this.settings.readConcern)
          : undefined,
      writeConcern: traits.takesWriteConcern === true ? this.writeConcern(options) : undefined,
      deadline: traits.deadline ?? this.deadline(options),
      signal: options.signal,
      session: options.session,
      server: traits.server,
      keepsMaxTime: traits.keepsMaxTime ?? false,
      keepsWriteConcernError: traits.keepsWriteConcernError ?? false,
    };
  }

  /** Runs a command and gives its reply. */
  async run(
    command: Document,
    options: CommandOperationOptions,
    traits: RequestTraits,
  ): Promise<Document> {
    const { reply } = await execute(this.client, this.request(command, options, traits));
    return reply;
  }
}

/** Copies those options that are fields of the command, under the same names, when they are given. */
export function fieldsFrom(options: object, names: readonly string[]): Document {
  const fields: Document = {};
  for (const name of names) {
    const value: unknown = Reflect.get(options, name);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
