/**
 * Dispatch: one request in, one reply out.
 *
 * Finds the command, walks its body, opens the operation context, checks rights, concerns and API version, runs it, waits for
 * the write concern, counts it, and shapes the reply. Never throws: whatever goes wrong becomes an error reply.
 * Synchronous when nothing waits, so that a point read costs no promise.
 */
import { BsonType } from '../../bson/index.ts';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import type { MaybePromise } from '../../storage/index.ts';
import { WriteConflictError } from '../../storage/index.ts';
import { unrestricted } from '../auth/principal.ts';
import type { ClientConnection } from '../operation/client-connection.ts';
import { OperationContext, type Exhaust } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import { watchFinished } from '../profiling/finished-operation.ts';
import type { UsageKind } from '../profiling/collection-usage.ts';
import type { Session } from '../sessions/session-registry.ts';
import { checkApiVersion } from './api-version.ts';
import type { CommandBody } from './command-body.ts';
import type { CommandTable } from './command-table.ts';
import type { Command } from './define-command.ts';
import { FailCommand } from './fail-command.ts';
import {
  commandNameOf,
  parseRequest,
  type GenericArguments,
  type RequestSource,
} from './generic-arguments.ts';
import { checkReadConcern } from './read-concern.ts';
import { errorReply, successReply, type ReplyBody, type ReplyFields } from './reply.ts';
import { resourceOf } from './resource.ts';
import { indexHintsIn, type IndexHints } from '../sharding/index-hints.ts';
import { parseRoutedBy, type RoutedBy } from '../sharding/routed-by.ts';
import { limitTime } from './time-limit.ts';
import { checkWriteConcern, needsJournal } from './write-concern.ts';

/** What the connection does with an answer. */
export type Answer =
  | {
      readonly kind: 'reply';
      readonly body: Buffer;
      /** The command has more to say to a client that accepts several replies to one request. */
      readonly exhaust?: Exhaust;
    }
  /** A fail point said so: no reply, and the connection ends. */
  | { readonly kind: 'close' };

export class Dispatcher {
  private readonly service: ServiceContext;
  private readonly table: CommandTable;
  private readonly failCommand: FailCommand;

  constructor(service: ServiceContext, table: CommandTable) {
    this.service = service;
    this.table = table;
    this.failCommand = new FailCommand(service);
  }

  /**
   * Runs one command.
   * @param onStart receives the operation as soon as there is one, so that the connection can interrupt it.
   */
  run(
    request: RequestSource,
    connection: ClientConnection,
    onStart: (operation: OperationContext) => void,
  ): MaybePromise<Answer> {
    let command: Command;
    let body: CommandBody;
    let generic: GenericArguments;
    let op: OperationContext;
    try {
      command = this.table.forRequest(commandNameOf(request.bytes));
      ({ body, generic } = parseRequest(command.name, request));
      op = new OperationContext(this.service, {
        commandName: command.name,
        database: generic.database,
        commandBody: request.bytes,
        connection,
        session: this.sessionOf(generic),
      });
    } catch (error) {
      return { kind: 'reply', body: this.failure(error) };
    }
    onStart(op);
    return this.runCommand(command, body, generic, op);
  }

  private runCommand(
    command: Command,
    body: CommandBody,
    generic: GenericArguments,
    op: OperationContext,
  ): MaybePromise<Answer> {
    const call: Call = { command, body, generic, op };
    try {
      this.check(call);
      const injected = this.failCommand.before(call);
      const result =
        injected === undefined
          ? command.run(body, op)
          : injected.then((then) => (then === 'close' ? CLOSE : command.run(body, op)));
      if (!(result instanceof Promise)) return this.conclude(call, result);
      return result.then(
        (reply) => (reply === CLOSE ? this.closed(call) : this.conclude(call, reply)),
        (error: unknown) => this.failed(call, error),
      );
    } catch (error) {
      return this.failed(call, error);
    }
  }

  /** After a success: waits for the journal if asked to, then replies. */
  private conclude(call: Call, reply: ReplyBody): MaybePromise<Answer> {
    const { op, generic } = call;
    if (this.service.isConfigServer && call.command.kind === 'read') {
      return op
        .waitFor(op.engine.flushed(op.view().commitNumber))
        .then(() => this.succeeded(call, reply))
        .catch((error: unknown) => this.failed(call, error));
    }
    if (op.lastCommit === undefined || !needsJournal(generic.writeConcern)) {
      return this.succeeded(call, reply);
    }
    return op.waitFor(op.engine.flushed(op.lastCommit)).then(
      () => this.succeeded(call, reply),
      (error: unknown) =>
        // Interrupted while it waited: the write has happened, only its durability is not known yet.
        error === op.reason
          ? this.succeeded(call, reply, { writeConcernError: describeError(op.reason) })
          : this.failed(call, error),
    );
  }

  private succeeded(call: Call, reply: ReplyBody, more?: ReplyFields): MaybePromise<Answer> {
    const { op } = call;
    try {
      const body = successReply(reply, more ?? this.failCommand.after(op));
      this.finish(call, undefined, body.length);
      return this.heldBack(
        call,
        op.exhaust === undefined
          ? { kind: 'reply', body }
          : { kind: 'reply', body, exhaust: op.exhaust },
      );
    } catch (error) {
      return this.failed(call, error);
    }
  }

  /** What is known here stays here while a cluster's backup fixes its point. */
  private heldBack({ command }: Call, answer: Answer): MaybePromise<Answer> {
    const { backupBarrier } = this.service;
    if (!backupBarrier.isUp || command.passesBarrier === true) return answer;
    return backupBarrier.passed().then(() => answer);
  }

  private failed(call: Call, error: unknown): MaybePromise<Answer> {
    // First: whatever may still go wrong, the operation has let go of what it held.
    call.op.finish();
    const known = this.asCommandError(call.op.reason ?? error);
    const body = this.errorBody(known, this.failCommand.after(call.op));
    this.finish(call, known, body.length);
    return this.heldBack(call, { kind: 'reply', body });
  }

  private closed(call: Call): Answer {
    this.finish(call, CLOSED, 0);
    return { kind: 'close' };
  }

  private check(call: Call): void {
    const { command, generic, op } = call;
    if (this.service.isStopping) throw stopping();
    if (command.adminOnly === true && generic.database !== 'admin') {
      throw new CommandError(
        'Unauthorized',
        `${command.name} may only be run against the admin database.`,
      );
    }
    if (command.testOnly === true && !this.service.parameters.get('enableTestCommands')) {
      throw new CommandError('CommandNotFound', `no such command: '${command.name}'`);
    }
    this.checkAccess(call);
    this.checkApiVersion(call);
    this.checkTransaction(generic);
    this.checkConcerns(command, generic);
    op.routedBy = routedBy(generic, this.service);
    op.indexHints = indexHints(generic);
    limitTime(op, generic.maxTimeMs > 0 ? generic.maxTimeMs : this.defaultLimitMs(command));
  }

  /** What an operator has set for reads whose client sets no limit; those that go on with a cursor have the cursor's. */
  private defaultLimitMs(command: Command): number {
    const isRead = command.kind === 'read' && command.route !== 'cursor';
    return isRead ? this.service.clusterParameters.defaultReadLimitMs : 0;
  }

  private checkApiVersion({ command, body, generic }: Call): void {
    const isRequired = this.service.parameters.get('requireApiVersion');
    if (!isRequired && !usesApiVersion(generic)) return;
    const acceptsVersion2 = this.service.parameters.get('acceptApiVersion2');
    checkApiVersion({ command, body, generic, isRequired, acceptsVersion2 });
  }

  private checkAccess({ command, body, op }: Call): void {
    const principal = op.connection?.principal ?? unrestricted;
    if (principal === unrestricted) return;
    if (principal.mayAccess(command.access, resourceOf(command, body))) return;
    throw new CommandError(
      'Unauthorized',
      `not authorized on ${body.database} to execute command ${command.name}`,
    );
  }

  private checkConcerns(command: Command, generic: GenericArguments): void {
    if (generic.writeConcern !== undefined) {
      if (command.kind !== 'write' && command.takesWriteConcern !== true) {
        throw new CommandError('InvalidOptions', 'Command does not support writeConcern');
      }
      checkWriteConcern(generic.writeConcern);
    }
    if (generic.readConcern === undefined) return;
    checkReadConcern(generic.readConcern);
    const level = generic.readConcern.level;
    const takesIt = command.kind === 'read' || command.takesReadConcern === true;
    if (!takesIt && level !== undefined && level !== 'local') {
      throw new CommandError(
        'InvalidOptions',
        `Command ${command.name} does not support { readConcern: { level: "${level}", provenance: "clientSupplied" } } :: caused by :: read concern not supported`,
      );
    }
  }

  /** Outside a replica set MongoDB has neither transactions nor retryable writes. */
  private checkTransaction(generic: GenericArguments): void {
    if (generic.transactionNumber === undefined) {
      if (generic.autocommit !== undefined || generic.startTransaction !== undefined) {
        throw new CommandError(
          'InvalidOptions',
          "'autocommit' and 'startTransaction' fields require a transaction number to also be specified",
        );
      }
      return;
    }
    if (generic.sessionId === undefined) {
      throw new CommandError(
        'InvalidOptions',
        'Transaction number requires a session ID to also be specified',
      );
    }
    throw new CommandError(
      'IllegalOperation',
      'Transaction numbers are only allowed on a replica set member or mongos',
    );
  }

  private sessionOf(generic: GenericArguments): Session | undefined {
    return generic.sessionId === undefined
      ? undefined
      : this.service.sessions.use(generic.sessionId);
  }

  private finish({ command, op }: Call, error: CommandError | undefined, bytes: number): void {
    op.finish();
    const failed = error !== undefined;
    const { metrics, clock } = this.service;
    const counters = metrics.command(command.name);
    counters.total += 1;
    if (failed) counters.failed += 1;
    const endedMs = clock.monotonicMs();
    const elapsedMs = endedMs - op.startedMonotonicMs - op.waitedMs;
    this.service.recentOperations.keep(op, endedMs, elapsedMs, failed);
    const group = LATENCY_GROUP[command.kind];
    const latency = metrics.latencies[group];
    const micros = Math.min(elapsedMs * 1000, LONGEST_MICROS);
    metrics.latencyHistograms[group][32 - Math.clz32(micros)] += 1;
    latency.ops += 1;
    latency.latencyMicros += elapsedMs * 1000;
    const counter = command.counter ?? 'command';
    if (counter !== 'none') metrics.operations[counter] += 1;
    this.noteReads(op);
    if (op.namespace !== op.noNamespace) {
      const usage = USAGE_OF[command.name] ?? 'commands';
      this.service.collectionUsage.add(
        op.namespace,
        usage,
        command.kind === 'write',
        elapsedMs * 1000,
      );
    }
    if (this.service.profiler.concerns(op.database, elapsedMs)) {
      watchFinished({ op, elapsedMs, error, replyBytes: bytes });
    }
  }

  private noteReads({ report }: OperationContext): void {
    const { plan } = report;
    if (plan === undefined) return;
    const { queryExecutor, documents } = this.service.metrics;
    queryExecutor.scanned += report.keysExamined ?? 0;
    queryExecutor.scannedObjects += report.docsExamined ?? 0;
    if (plan.summary === 'COLLSCAN') queryExecutor.collectionScans += 1;
    if (report.hasSortStage) queryExecutor.sorts += 1;
    documents.returned += report.returnedCount ?? 0;
  }

  private failure(error: unknown, extra?: ReplyFields): Buffer {
    return this.errorBody(this.asCommandError(error), extra);
  }

  private errorBody(known: CommandError, extra?: ReplyFields): Buffer {
    this.service.metrics.asserts.user += 1;
    return errorReply(known, extra);
  }

  /** Errors of the lower floors as MongoDB names them; anything else is a bug and logged as one. */
  private asCommandError(error: unknown): CommandError {
    if (error instanceof CommandError) return error;
    if (error instanceof WriteConflictError) {
      return new CommandError('WriteConflict', error.message, {
        labels: ['TransientTransactionError'],
      });
    }
    if (error instanceof CorruptionError) {
      return new CommandError('DataCorruptionDetected', error.message, { cause: error });
    }
    if (error instanceof DeviceError) {
      const code = error.errno === 'ENOSPC' ? 'OutOfDiskSpace' : 'OperationFailed';
      return new CommandError(code, error.message, { cause: error });
    }
    this.service.metrics.asserts.internal += 1;
    this.service.log.write({
      severity: 'E',
      component: 'COMMAND',
      id: 2_000_101,
      message: 'A command failed in a way that nobody foresaw',
      attributes: {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      },
    });
    return new CommandError(
      'InternalError',
      error instanceof Error ? error.message : 'unknown internal error',
    );
  }
}

/** The versions by which a router chose this shard. @throws CommandError on a server that is none */
function routedBy(
  { shardVersion, databaseVersion }: GenericArguments,
  { sharding }: ServiceContext,
): RoutedBy | undefined {
  if (shardVersion === undefined && databaseVersion === undefined) return undefined;
  if (sharding !== undefined) return parseRoutedBy(shardVersion, databaseVersion);
  const name = shardVersion === undefined ? 'databaseVersion' : 'shardVersion';
  throw new CommandError('NotImplemented', `${name} is for shards: this server is none`);
}

/** Routers send them, to the config server as well. @throws CommandError for what is wrong with them */
function indexHints({ querySettings }: GenericArguments): IndexHints | undefined {
  if (querySettings === undefined) return undefined;
  if (querySettings.type === BsonType.object) return indexHintsIn(querySettings.asDocument());
  throw new CommandError(
    'TypeMismatch',
    `BSON field 'querySettings' is the wrong type '${querySettings.typeName}', expected type 'object'`,
  );
}

/** One command under way. */
interface Call {
  readonly command: Command;
  readonly body: CommandBody;
  readonly generic: GenericArguments;
  readonly op: OperationContext;
}

const CLOSE = Symbol('close');

/** For the log: a fail point closed the connection. */
const CLOSED = new CommandError('InternalError', 'the connection was closed by a fail point');

/** How top counts commands. */
const USAGE_OF: Readonly<Record<string, UsageKind>> = {
  find: 'queries',
  getMore: 'getmore',
  insert: 'insert',
  update: 'update',
  delete: 'remove',
};

/** What the last bucket of a histogram still counts. */
const LONGEST_MICROS = 2 ** 31 - 1;
const LATENCY_GROUP = { read: 'reads', write: 'writes', admin: 'commands' } as const;

const stopping = (): CommandError =>
  new CommandError('ShutdownInProgress', 'The server is in quiesce mode and will shut down');

function usesApiVersion(generic: GenericArguments): boolean {
  return (
    generic.apiVersion !== undefined ||
    generic.apiStrict !== undefined ||
    generic.apiDeprecationErrors !== undefined
  );
}

function describeError(error: CommandError | undefined): ReplyFields {
  if (error === undefined) return {};
  return { code: error.code, codeName: error.codeName, errmsg: error.message };
}
