/**
 * The client: one deployment, its databases, its sessions, its events.
 *
 * Owns: the transport, the pool of server sessions, and every session that is open. Which transports there are is the
 * subclass's to say: the whole package has all (flint-client.ts), browsers have HTTP alone.
 */
import type { Document } from 'bson';
import { foregroundClock, sleep, type Clock } from '../common/clock.ts';
import {
  clientBulkWrite,
  type ClientBulkWriteModel,
  type ClientBulkWriteOptions,
  type ClientBulkWriteResult,
} from './bulk/client-bulk-write.ts';
import type { ReadConcern } from './concerns/read-concern.ts';
import { ReadPreference } from './concerns/read-preference.ts';
import type { WriteConcern } from './concerns/write-concern.ts';
import {
  ChangeStream,
  type ChangeStreamDocument,
  type ChangeStreamOptions,
} from './cursors/change-stream.ts';
import { Db, type DbOptions } from './db.ts';
import type { BSONSerializeOptions } from './documents/bson-options.ts';
import {
  MongoClientClosedError,
  MongoInvalidArgumentError,
  MongoNotConnectedError,
} from './errors/driver-errors.ts';
import { Emitter } from './events/emitter.ts';
import type { ClientContext, OpenCursor } from './operations/client-context.ts';
import { endTransaction } from './operations/end-transaction.ts';
import { Deadline } from './operations/deadline.ts';
import { execute } from './operations/execute.ts';
import { Scope } from './operations/scope.ts';
import type { MongoClientOptions } from './options/client-options.ts';
import { parseClientOptions, type ClientSettings } from './options/parse-options.ts';
import {
  ClientSession,
  type ClientSessionOptions,
  type ClusterTime,
} from './sessions/client-session.ts';
import { ServerSessionPool } from './sessions/server-session.ts';
import type { Limits, Transport, TransportFactory } from './transport/contract.ts';

export interface ClientTransports {
  /** undefined: this build of the client has none for the connection string's scheme. */
  factoryFor(settings: ClientSettings): TransportFactory | undefined;
}

/** Sessions that one endSessions command ends. */
const SESSIONS_PER_COMMAND = 10_000;

export class BaseClient extends Emitter implements ClientContext {
  readonly settings: ClientSettings;
  readonly clock: Clock = foregroundClock;
  readonly sessionPool: ServerSessionPool;
  readonly openCursors: Set<OpenCursor> = new Set();
  clusterTime: ClusterTime | undefined;
  readonly #transports: ClientTransports;
  readonly #sessions = new Set<ClientSession>();
  #transport: Transport | undefined;
  #connecting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #wasClosed = false;

  constructor(uri: string, options: MongoClientOptions, transports: ClientTransports) {
    super();
    this.settings = parseClientOptions(uri, { ...options });
    this.#transports = transports;
    this.sessionPool = new ServerSessionPool(
      this.clock,
      () => this.#transport?.deployment.logicalSessionTimeoutMinutes,
    );
  }

  /** The options as they hold: given, or by default. */
  get options(): Readonly<Document> {
    const { hosts, dbName, credentials, readConcern, writeConcern, readPreference, srvHost, all } =
      this.settings;
    return Object.freeze({
      ...all,
      hosts: [...hosts],
      dbName,
      readPreference,
      ...(credentials === undefined ? {} : { credentials }),
      ...(readConcern === undefined ? {} : { readConcern }),
      ...(writeConcern === undefined ? {} : { writeConcern }),
      ...(srvHost === undefined ? {} : { srvHost }),
    });
  }

  get bsonOptions(): BSONSerializeOptions {
    return this.settings.bson;
  }

  get readConcern(): ReadConcern | undefined {
    return this.settings.readConcern;
  }

  get writeConcern(): WriteConcern | undefined {
    return this.settings.writeConcern;
  }

  get readPreference(): ReadPreference {
    return this.settings.readPreference;
  }

  get serverApi() {
    return this.settings.serverApi;
  }

  get timeoutMS(): number | undefined {
    return this.settings.timeoutMS;
  }

  get autoEncrypter(): undefined {
    return undefined;
  }

  get observesCommands(): boolean {
    return (
      this.settings.monitorCommands &&
      (this.listenerCount('commandStarted') > 0 ||
        this.listenerCount('commandSucceeded') > 0 ||
        this.listenerCount('commandFailed') > 0)
    );
  }

  /** Optional: the first operation connects by itself. */
  async connect(): Promise<this> {
    await this.#connect({});
    return this;
  }

  db(name?: string, options: DbOptions = {}): Db {
    return new Db(this.#scope(name ?? this.settings.dbName).with(undefined, options));
  }

  startSession(options: ClientSessionOptions = {}): ClientSession {
    const session = new ClientSession(this, options, {
      explicit: true,
      clusterTime: this.clusterTime,
    });
    this.#sessions.add(session);
    return session;
  }

  /** Runs `work` with a session, and ends it. */
  withSession<T>(work: (session: ClientSession) => Promise<T>): Promise<T>;
  withSession<T>(
    options: ClientSessionOptions,
    work: (session: ClientSession) => Promise<T>,
  ): Promise<T>;
  async withSession<T>(
    ...args:
      | [(session: ClientSession) => Promise<T>]
      | [ClientSessionOptions, (session: ClientSession) => Promise<T>]
  ): Promise<T> {
    const [options, work] = args.length === 1 ? [{}, args[0]] : args;
    if (typeof work !== 'function') {
      throw new MongoInvalidArgumentError('Missing required callback parameter');
    }
    const session = this.startSession(options);
    try {
      return await work(session);
    } finally {
      await session.endSession().catch(() => undefined);
    }
  }

  /** Changes of the whole deployment. */
  watch<Schema extends Document = Document, Change extends Document = ChangeStreamDocument<Schema>>(
    pipeline: readonly Document[] = [],
    options: ChangeStreamOptions = {},
  ): ChangeStream<Schema, Change> {
    return new ChangeStream<Schema, Change>(this.#scope('admin'), 'cluster', pipeline, options);
  }

  /** Writes to many collections in one command. */
  bulkWrite(
    models: readonly ClientBulkWriteModel[],
    options: ClientBulkWriteOptions = {},
  ): Promise<ClientBulkWriteResult> {
    return clientBulkWrite(this.#scope('admin'), models, options);
  }

  /** Ends connections, sessions and cursors. Idempotent. The client may be connected again. */
  close(_force = false): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  appendMetadata(_info: Document): void {
    throw new MongoInvalidArgumentError(
      'appendMetadata is not supported: give driverInfo when the client is made',
    );
  }

  // For operations

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  sleep(delayMs: number): Promise<void> {
    return sleep(this.clock, delayMs);
  }

  async transport(limits: Limits): Promise<Transport> {
    if (this.#transport === undefined) {
      if (this.#wasClosed)
        throw new MongoNotConnectedError('Client must be connected before running operations');
      await this.#connect(limits);
    }
    if (this.#transport === undefined) throw new MongoClientClosedError();
    return this.#transport;
  }

  startImplicitSession(): ClientSession {
    const session = new ClientSession(this, {}, { explicit: false, clusterTime: this.clusterTime });
    return session;
  }

  endTransaction(
    session: ClientSession,
    name: 'commitTransaction' | 'abortTransaction',
    options: { readonly isRetry: boolean; readonly timeoutMS?: number | undefined },
  ): Promise<void> {
    return endTransaction(this, session, name, options);
  }

  forgetSession(session: ClientSession): void {
    this.#sessions.delete(session);
  }

  #scope(database: string): Scope {
    const { readConcern, writeConcern, readPreference, bson, timeoutMS } = this.settings;
    return new Scope(this, database, undefined, {
      readConcern,
      writeConcern,
      readPreference,
      bson,
      timeoutMS,
    });
  }

  #connect(limits: Limits): Promise<void> {
    this.#connecting ??= this.#open(limits).catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  async #open(limits: Limits): Promise<void> {
    const factory = this.#transports.factoryFor(this.settings);
    if (factory === undefined) {
      throw new MongoInvalidArgumentError(
        `This build of the client cannot speak ${this.settings.scheme}://: in browsers and edge runtimes only http:// and https:// are there`,
      );
    }
    const transport = factory(this.settings, {
      emit: (name, event) => {
        this.emit(name, event);
      },
    });
    this.#transport = transport;
    try {
      await transport.connect({
        ...limits,
        readPreference: this.settings.readPreference,
        operation: 'connect',
      });
      this.#wasClosed = false;
      this.emit('open', this);
    } catch (error) {
      this.#transport = undefined;
      await transport.close();
      throw error;
    }
  }

  async #close(): Promise<void> {
    const transport = this.#transport;
    transport?.interrupt();
    // Before their sessions: a server keeps a cursor that nobody asks for for ten minutes.
    const limits = { timeoutMS: CLOSE_MS };
    await Promise.all([...this.openCursors].map((cursor) => cursor.close(limits)));
    await Promise.all([...this.#sessions].map((session) => session.endSession()));
    if (transport === undefined) return;
    await this.#endSessions();
    this.#transport = undefined;
    this.#connecting = undefined;
    this.#wasClosed = true;
    await transport.close();
    this.emit('close', this);
  }

  /** Tells the server which sessions are not used any more; it forgets them by itself when it cannot be told. */
  async #endSessions(): Promise<void> {
    const ids = this.sessionPool.drain().slice(0, SESSIONS_PER_COMMAND);
    const isKnown = this.#transport?.deployment.logicalSessionTimeoutMinutes !== undefined;
    if (ids.length === 0 || !isKnown) return;
    try {
      await execute(this, {
        name: 'endSessions',
        database: 'admin',
        build: () => ({ command: { endSessions: ids } }),
        kind: 'other',
        mayRetry: false,
        decode: 'document',
        bson: {},
        readPreference: ReadPreference.primaryPreferred,
        deadline: Deadline.in(this.clock, CLOSE_MS),
      });
      this.sessionPool.drain();
    } catch {
      // The server is gone: so are its sessions, in time.
    }
  }
}

/** Closing must not wait for a server that does not answer, milliseconds. */
const CLOSE_MS = 2_000;
