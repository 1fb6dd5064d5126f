/**
 * Runs one command: chooses a server, sends it, reads the reply, and tries again where that is safe.
 *
 * Every command of the SDK goes through here, whatever the transport.
 * Source: driver specifications "Retryable Reads", "Retryable Writes", "Transactions", "Command Logging and Monitoring".
 */
import { deserialize, type Document } from 'bson';
import type { ReadConcern } from '../concerns/read-concern.ts';
import { ReadPreference } from '../concerns/read-preference.ts';
import type { WriteConcern } from '../concerns/write-concern.ts';
import {
  decodeBatch,
  decodeDocument,
  decodeReply,
  encodeDocument,
  type BSONSerializeOptions,
} from '../documents/bson-options.ts';
import {
  MongoAPIError,
  MongoCompatibilityError,
  MongoExpiredSessionError,
  MongoInvalidArgumentError,
  MongoOperationTimeoutError,
  MongoTransactionError,
} from '../errors/driver-errors.ts';
import {
  MongoError,
  MongoErrorLabel,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from '../errors/mongo-error.ts';
import {
  CommandFailedEvent,
  CommandStartedEvent,
  CommandSucceededEvent,
  isSecret,
  type CommandLabel,
} from '../events/command-events.ts';
import { laterClusterTime, type ClientSession } from '../sessions/client-session.ts';
import {
  ServerType,
  type CommandMessage,
  type ConnectionLabel,
  type DocumentSequence,
  type Server,
  type ServerTraits,
  type Transport,
} from '../transport/contract.ts';
import type { ClientContext } from './client-context.ts';
import type { Deadline } from './deadline.ts';
import {
  isNetworkError,
  isOverload,
  isRetryableRead,
  isRetryableWrite,
  isStateChange,
} from './error-kinds.ts';
import { isEndOfTransaction, prepareCommand } from './prepare-command.ts';

/** A command's own fields. */
export interface BuiltCommand {
  /** The name first. */
  readonly command: Document;
  readonly sequences?: readonly DocumentSequence[];
}

export interface CommandRequest {
  readonly name: string;
  readonly database: string;
  /** Called once, when the server is known: batches depend on its limits. */
  readonly build: (traits: ServerTraits) => BuiltCommand;
  /** What retries and concerns depend on. */
  readonly kind: 'read' | 'write' | 'other';
  /** Whether running it twice does no harm that a server could not prevent; retryReads and retryWrites decide further. */
  readonly mayRetry: boolean;
  /** `batch`: documents of the reply's cursor stay bytes. */
  readonly decode: 'document' | 'batch';
  readonly bson: BSONSerializeOptions;
  readonly readPreference?: ReadPreference | undefined;
  readonly readConcern?: ReadConcern | undefined;
  readonly writeConcern?: WriteConcern | undefined;
  readonly deadline: Deadline;
  readonly signal?: AbortSignal | undefined;
  /** undefined: an implicit one, for this command alone. */
  readonly session?: ClientSession | undefined;
  /** The server that has the cursor. */
  readonly server?: Server | undefined;
  /** timeoutMS is not told to the server: the command's own maxTimeMS means something else. */
  readonly keepsMaxTime?: boolean;
  /** A write concern error is part of the reply, not thrown. */
  readonly keepsWriteConcernError?: boolean;
}

export interface CommandResult {
  readonly reply: Document;
  readonly server: Server;
}

/** @throws MongoServerError and its like, MongoNetworkError, MongoServerSelectionError, MongoOperationTimeoutError, the signal's reason. */
export async function execute(
  client: ClientContext,
  request: CommandRequest,
): Promise<CommandResult> {
  const { session: explicit, deadline, signal } = request;
  signal?.throwIfAborted();
  checkSession(client, request);
  const transport = await client.transport({ signal, timeoutMs: deadline.leftMs });
  const session = explicit ?? client.startImplicitSession();
  try {
    return await new Attempts(client, transport, request, session).run();
  } finally {
    if (explicit === undefined) session.release();
  }
}

function checkSession(
  client: ClientContext,
  { session, kind, name, readPreference }: CommandRequest,
): void {
  if (session === undefined) return;
  if (session.hasEnded)
    throw new MongoExpiredSessionError('Use of expired sessions is not permitted');
  if (session.client !== client) {
    throw new MongoInvalidArgumentError('ClientSession must be from the same MongoClient');
  }
  const isOther = readPreference !== undefined && readPreference.mode !== 'primary';
  if (session.inTransaction() && isOther && (kind === 'read' || name === 'runCommand')) {
    throw new MongoTransactionError(
      `Read preference in a transaction must be primary, not: ${readPreference.mode}`,
    );
  }
  if (session.isPinned && session.transaction.isCommitted && !isEndOfTransaction(name))
    session.unpin();
}

/** Waits before an overloaded server is asked again: random, growing, bounded. Milliseconds. */
const FIRST_OVERLOAD_BACKOFF_MS = 100;
const LONGEST_OVERLOAD_BACKOFF_MS = 10_000;
const MOST_OVERLOAD_RETRIES = 2;

/** One command and its further attempts. */
class Attempts {
  private readonly client: ClientContext;
  private readonly transport: Transport;
  private readonly request: CommandRequest;
  private readonly session: ClientSession;
  private readonly failed: Server[] = [];
  private built: BuiltCommand | undefined;
  private hasTransactionNumber = false;
  private overloads = 0;
  private retries = 0;

  constructor(
    client: ClientContext,
    transport: Transport,
    request: CommandRequest,
    session: ClientSession,
  ) {
    this.client = client;
    this.transport = transport;
    this.request = request;
    this.session = session;
  }

  async run(): Promise<CommandResult> {
    let first: unknown;
    for (;;) {
      let server: Server | undefined;
      try {
        server = await this.server();
        this.prepareFirst(server);
        return { reply: await this.send(server), server };
      } catch (error) {
        this.label(error);
        if (first === undefined) first = error;
        // What could not even be tried says less than what failed before.
        if (
          server === undefined &&
          first !== error &&
          !(error instanceof MongoOperationTimeoutError)
        )
          throw first;
        if (!(await this.mayTryAgain(error, server))) {
          const isKept = this.request.keepsWriteConcernError === true;
          if (isKept && server !== undefined && error instanceof MongoWriteConcernError) {
            return { reply: error.result, server };
          }
          throw mostTelling(first, error);
        }
        if (server !== undefined) this.failed.push(server);
      }
    }
  }

  private server(): Server | Promise<Server> {
    const { request, session, transport } = this;
    if (request.server !== undefined) return request.server;
    if (
      session.pinnedServer !== undefined &&
      (session.inTransaction() || isEndOfTransaction(request.name))
    ) {
      return session.pinnedServer;
    }
    request.deadline.throwIfOver();
    return transport.selectServer({
      readPreference: this.readPreference,
      operation: request.name,
      avoid: this.failed,
      signal: request.signal,
      timeoutMs: request.deadline.leftMs,
    });
  }

  private get readPreference(): ReadPreference {
    if (this.session.inTransaction()) {
      return this.session.transaction.options.readPreference ?? ReadPreference.primary;
    }
    return this.request.readPreference ?? ReadPreference.primary;
  }

  /** Builds the command, and decides whether it may be sent twice: for all attempts alike. */
  private prepareFirst(server: Server): void {
    if (this.built !== undefined) return;
    const { request, session, client } = this;
    this.built = request.build(server.traits);
    const isSharded = server.traits.type === ServerType.Mongos;
    if (session.inTransaction() && isSharded && !session.isPinned) session.pin(server);
    this.hasTransactionNumber =
      request.kind === 'write' &&
      request.mayRetry &&
      client.settings.retryWrites &&
      !session.inTransaction() &&
      !this.isUnacknowledged &&
      supportsRetryableWrites(server.traits);
    if (this.hasTransactionNumber) session.incrementTransactionNumber();
  }

  private get isUnacknowledged(): boolean {
    const { writeConcern } = this.request;
    return writeConcern?.isUnacknowledged === true && !this.session.inTransaction();
  }

  private async send(server: Server): Promise<Document> {
    const { client, request } = this;
    const { command, sequences = [] } = this.built ?? request.build(server.traits);
    const prepared = prepareCommand(command, {
      client,
      database: request.database,
      server,
      deployment: this.transport.deployment,
      session: this.sessionFor(server),
      isRead: request.kind === 'read',
      hasTransactionNumber: this.hasTransactionNumber,
      readConcern: request.readConcern,
      writeConcern: request.writeConcern,
      readPreference: this.readPreference,
      deadline: request.deadline,
      limitsServerTime: request.keepsMaxTime !== true,
    });
    const message: CommandMessage = {
      body: encodeDocument(prepared, request.bson),
      sequences,
      unacknowledged: this.isUnacknowledged,
    };
    const events = client.observesCommands
      ? new CommandEvents(client, request, prepared, sequences)
      : undefined;
    if (this.session.transaction.isStarting && this.session.inTransaction()) {
      this.session.transaction.transition('TRANSACTION_IN_PROGRESS');
    }
    let generation: number | undefined;
    try {
      const bytes = await server.request(message, {
        signal: request.signal,
        timeoutMs: request.deadline.leftMs,
        onSend: (label) => {
          generation = label.generation;
          events?.start(label);
        },
      });
      const reply = bytes === undefined ? { ok: 1 } : this.read(bytes);
      events?.succeed(bytes);
      throwIfWriteConcernError(reply);
      return reply;
    } catch (error) {
      events?.fail(error);
      if (isStateChange(error)) server.noteStateChange(error, generation);
      throw this.asTimeout(error);
    }
  }

  private sessionFor(server: Server): ClientSession | undefined {
    const { session } = this;
    const knowsSessions = server.traits.logicalSessionTimeoutMinutes !== null;
    if (!session.explicit) return knowsSessions && !this.isUnacknowledged ? session : undefined;
    if (!knowsSessions)
      throw new MongoCompatibilityError('Current topology does not support sessions');
    if (this.isUnacknowledged) {
      throw new MongoAPIError('Cannot have explicit session with unacknowledged writes');
    }
    return session;
  }

  /** @throws MongoServerError when the reply does not say ok. */
  private read(bytes: Uint8Array): Document {
    const { decode, bson } = this.request;
    const frame =
      decode === 'batch'
        ? decodeBatch(bytes)
        : bson.raw === true
          ? decodeReply(bytes)
          : decodeDocument(bytes, bson);
    this.takeTimes(frame);
    if (Number(frame['ok']) !== 1) throw new MongoServerError(deserialize(bytes));
    return decode === 'document' && bson.raw === true ? bytes : frame;
  }

  private takeTimes(frame: Document): void {
    const { client, session } = this;
    const { $clusterTime, operationTime, recoveryToken } = frame;
    if ($clusterTime !== undefined) {
      client.clusterTime = laterClusterTime(client.clusterTime, $clusterTime);
      session.clusterTime = laterClusterTime(session.clusterTime, $clusterTime);
    }
    if (operationTime !== undefined) session.advanceOperationTime(operationTime);
    if (recoveryToken !== undefined && session.inTransaction())
      session.recoveryToken = recoveryToken;
    if (session.snapshotEnabled && session.snapshotTime === undefined) {
      session.snapshotTime = frame['atClusterTime'] ?? frame['cursor']?.atClusterTime;
    }
  }

  /** With timeoutMS, a time limit that the server ran into is ours. */
  private asTimeout(error: unknown): unknown {
    if (!this.request.deadline.isSet || !(error instanceof MongoServerError)) return error;
    const concern: unknown = error.writeConcernError?.['code'];
    if (error.code !== MAX_TIME_MS_EXPIRED && concern !== MAX_TIME_MS_EXPIRED) return error;
    return new MongoOperationTimeoutError('Server reported a timeout error', { cause: error });
  }

  /** Adds the labels that are the client's to give. */
  private label(error: unknown): void {
    const { session, request } = this;
    if (!(error instanceof MongoError)) return;
    const isNetwork = isNetworkError(error);
    if (isNetwork && this.built !== undefined) session.serverSession.isDirty = true;
    const isEnd = isEndOfTransaction(request.name);
    if (
      session.inTransaction() &&
      !isEnd &&
      (isNetwork || error instanceof MongoServerSelectionError)
    ) {
      error.addErrorLabel(MongoErrorLabel.TransientTransactionError);
    }
    if (isNetwork && (this.hasTransactionNumber || isEnd)) {
      error.addErrorLabel(MongoErrorLabel.RetryableWriteError);
    }
    if (error.hasErrorLabel(MongoErrorLabel.TransientTransactionError)) session.unpin();
  }

  private async mayTryAgain(error: unknown, server: Server | undefined): Promise<boolean> {
    const { request } = this;
    const leftMs = request.deadline.leftMs;
    if (server === undefined || error instanceof MongoOperationTimeoutError) return false;
    if (request.signal?.aborted === true || (leftMs !== undefined && leftMs <= 0)) return false;
    if (isOverload(error) && this.overloads < MOST_OVERLOAD_RETRIES && this.isRetryAllowed()) {
      this.overloads += 1;
      await this.client.sleep(this.overloadBackoffMs());
      return true;
    }
    if (this.retries > 0 && leftMs === undefined) return false;
    if (!this.isWorthRetrying(error)) return false;
    this.retries += 1;
    return true;
  }

  private isRetryAllowed(): boolean {
    const { retryReads, retryWrites } = this.client.settings;
    return this.request.kind === 'read' ? retryReads : retryWrites;
  }

  private overloadBackoffMs(): number {
    const longest = FIRST_OVERLOAD_BACKOFF_MS * 2 ** (this.overloads - 1);
    const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
    return (Math.min(longest, LONGEST_OVERLOAD_BACKOFF_MS) * random) / 2 ** 32;
  }

  private isWorthRetrying(error: unknown): boolean {
    const { request, session, client } = this;
    // Their own operation sends them again: with another write concern.
    if (isEndOfTransaction(request.name)) return false;
    if (session.inTransaction() || !request.mayRetry || request.server !== undefined) return false;
    if (request.kind === 'read') return client.settings.retryReads && isRetryableRead(error);
    if (!this.hasTransactionNumber) return false;
    throwIfNumbersAreRefused(error);
    return isRetryableWrite(error);
  }
}

const MAX_TIME_MS_EXPIRED = 50;
const ILLEGAL_OPERATION = 20;

/** Of two failed attempts at a write, the one that may have written. */
function mostTelling(first: unknown, last: unknown): unknown {
  const lastWroteNothing =
    last instanceof MongoError && last.hasErrorLabel(MongoErrorLabel.NoWritesPerformed);
  return lastWroteNothing ? first : last;
}

/** A server of an old storage engine says so when the first retryable write comes. */
function throwIfNumbersAreRefused(error: unknown): void {
  if (
    error instanceof MongoServerError &&
    error.code === ILLEGAL_OPERATION &&
    error.message.startsWith('Transaction numbers')
  ) {
    throw new MongoServerError({
      ...error.errorResponse,
      message:
        'This MongoDB deployment does not support retryable writes. Please add retryWrites=false to your connection string.',
    });
  }
}

function supportsRetryableWrites({ type, logicalSessionTimeoutMinutes }: ServerTraits): boolean {
  return logicalSessionTimeoutMinutes !== null && type !== ServerType.Standalone;
}

function throwIfWriteConcernError(reply: Document): void {
  if (reply['writeConcernError'] !== undefined && reply['writeConcernError'] !== null) {
    throw new MongoWriteConcernError(reply);
  }
}

/** The events of one attempt. */
class CommandEvents {
  private readonly client: ClientContext;
  private readonly request: CommandRequest;
  private readonly command: Document;
  private readonly sequences: readonly DocumentSequence[];
  private label: CommandLabel | undefined;
  private startedMs = 0;
  private ended = false;

  constructor(
    client: ClientContext,
    request: CommandRequest,
    command: Document,
    sequences: readonly DocumentSequence[],
  ) {
    this.client = client;
    this.request = request;
    this.command = command;
    this.sequences = sequences;
  }

  start({ address, connectionId, serverConnectionId, requestId }: ConnectionLabel): void {
    const commandName = Object.keys(this.command)[0] ?? this.request.name;
    this.label = {
      address,
      connectionId,
      serverConnectionId,
      requestId,
      commandName,
      databaseName: this.request.database,
    };
    this.startedMs = this.client.clock.monotonicMs();
    const shown = isSecret(commandName, this.command) ? {} : this.wholeCommand();
    this.client.emit('commandStarted', new CommandStartedEvent(this.label, shown));
  }

  /** @param bytes undefined: there is no reply to an unacknowledged write. */
  succeed(bytes: Uint8Array | undefined): void {
    if (this.label === undefined) return;
    this.ended = true;
    const reply = bytes === undefined ? { ok: 1 } : deserialize(bytes);
    const shown = isSecret(this.label.commandName, this.command) ? {} : reply;
    this.client.emit('commandSucceeded', new CommandSucceededEvent(this.label, shown, this.tookMs));
  }

  fail(error: unknown): void {
    if (this.label === undefined || this.ended) return;
    const failure = error instanceof Error ? error : new Error(String(error));
    const shown = isSecret(this.label.commandName, this.command)
      ? new MongoServerError({})
      : failure;
    this.client.emit('commandFailed', new CommandFailedEvent(this.label, shown, this.tookMs));
  }

  private get tookMs(): number {
    return Math.floor(this.client.clock.monotonicMs() - this.startedMs);
  }

  private wholeCommand(): Document {
    const arrays = this.sequences.map(({ field, documents }) => [
      field,
      documents.map((bytes) => deserialize(bytes, { promoteLongs: false })),
    ]);
    return { ...this.command, ...Object.fromEntries(arrays) };
  }
}
