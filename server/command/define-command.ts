/**
 * A command's definition: everything the server, the router and the documentation need to know of it, in one place.
 *
 * `parse` touches only the body, `plan` reads the catalog, `execute` does the work, `reply` shapes the answer. What every
 * command needs (session, time limit, concerns, rights, metrics, error replies) is in dispatch, once.
 */
import type { ErrorCodeName } from '../../common/errors.ts';
import { BsonType, getField } from '../../bson/index.ts';
import { planInSlices } from '../../query/index.ts';
import type { MaybePromise } from '../../storage/index.ts';
import type { Access } from '../auth/principal.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import { checkCollectionUuid } from './collection-uuid.ts';
import type { CommandBody } from './command-body.ts';
import { NotPrepared } from './not-prepared.ts';
import type { ReplyBody } from './reply.ts';

/**
 * How a router finds the shards of a command. 'router': the router answers it itself; 'anyShard': any one of them;
 * 'allShards': all, answers merged; 'primaryShard': the database's; 'configServer'; 'shardsOfFilter', 'shardsOfDocuments': by
 * the shard key in it; 'cursor': where the cursor lives; 'never': not through a router.
 */
export type Route =
  | 'router'
  | 'anyShard'
  | 'allShards'
  | 'primaryShard'
  | 'configServer'
  | 'shardsOfFilter'
  | 'shardsOfDocuments'
  | 'cursor'
  | 'never';

export interface CommandTraits {
  /** As the protocol spells it. */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One sentence, for listCommands and the documentation. */
  readonly help: string;
  /** read: takes a readConcern. write: takes a writeConcern, and its reply waits for it. admin: neither, unless said below. */
  readonly kind: 'read' | 'write' | 'admin';
  readonly access: Access;
  readonly route: Route;
  /** Only on the database admin. */
  readonly adminOnly?: boolean;
  /** Versions of the stable API that contain it: ['1'] or, without it, none. */
  readonly apiVersions?: readonly string[];
  /** Those of them in which it is deprecated: refused with apiDeprecationErrors. */
  readonly deprecatedApiVersions?: readonly string[];
  /** May be sent before anybody has logged in. */
  readonly beforeAuth?: boolean;
  /** Only with enableTestCommands. */
  readonly testOnly?: boolean;
  /** Takes a writeConcern although its kind does not say so (create, dropIndexes, aggregate with $out). */
  readonly takesWriteConcern?: boolean;
  /** Takes a readConcern although its kind does not say so. */
  readonly takesReadConcern?: boolean;
  /** It changes what a collection is, its options, indexes or name: a migration waits for it as for a write, and it for a migration. */
  readonly changesCollection?: boolean;
  /** Takes any field: unknown ones are ignored, as in MongoDB's older commands. */
  readonly lenient?: boolean;
  /** It never succeeds on a server alone: the error it answers with. See defineRefusal. */
  readonly refusal?: ErrorCodeName | number;
  /** Answered while a backup's barrier is up: it tells of nothing that was written. */
  readonly passesBarrier?: boolean;
  /** Fields that MongoDB does not count to the stable API, although the command belongs to it: refused with apiStrict. */
  readonly unstableFields?: readonly string[];
  /** Which of serverStatus.opcounters it counts in; default 'command'. Write commands count their statements themselves. */
  readonly counter?: 'query' | 'getmore' | 'command' | 'none';
}

interface WithPlan<Request, Plan, Result> extends CommandTraits {
  parse(body: CommandBody, op: OperationContext): Request;
  plan(request: Request, op: OperationContext): MaybePromise<Plan>;
  execute(plan: Plan, op: OperationContext): MaybePromise<Result>;
  reply(result: Result, op: OperationContext): ReplyBody;
}

interface WithoutPlan<Request, Result> extends CommandTraits {
  parse(body: CommandBody, op: OperationContext): Request;
  execute(request: Request, op: OperationContext): MaybePromise<Result>;
  reply(result: Result, op: OperationContext): ReplyBody;
}

/** A definition with its types closed over: what the table and dispatch work with. */
export interface Command extends CommandTraits {
  /** parse, plan, execute, reply. Synchronous when none of the steps waits. Throws CommandError. */
  run(body: CommandBody, op: OperationContext): MaybePromise<ReplyBody>;
}

export function defineCommand<Request, Plan, Result>(
  definition: WithPlan<Request, Plan, Result>,
): Command;
export function defineCommand<Request, Result>(definition: WithoutPlan<Request, Result>): Command;
export function defineCommand<Request, Plan, Result>(
  definition: WithPlan<Request, Plan, Result> | (WithoutPlan<Request, Result> & { plan?: never }),
): Command {
  return { ...definition, run: runnerOf(definition) };
}

/** A command of so many bytes is planned slice by slice. */
const LARGE_COMMAND_BYTES = 16 * 1024;

/** @param plan repeatable */
export function planned<Plan>(
  op: OperationContext,
  plan: () => MaybePromise<Plan>,
): MaybePromise<Plan> {
  if (op.commandBody.length <= LARGE_COMMAND_BYTES) return plan();
  return planInSlices(op, op.service.clock, plan);
}

function runnerOf<Request, Plan, Result>(
  definition: WithPlan<Request, Plan, Result> | (WithoutPlan<Request, Result> & { plan?: never }),
): Command['run'] {
  const lenient = definition.lenient === true;
  const parse = (body: CommandBody, op: OperationContext): Request => {
    const request = definition.parse(body, op);
    if (!lenient) body.rejectUnknownFields();
    if (body.namespace !== undefined) {
      op.namespace = body.namespace;
      if (body.expectedUuid !== undefined) {
        checkCollectionUuid(op.view(), body.namespace, body.expectedUuid);
      }
    }
    return request;
  };
  const finish = (result: MaybePromise<Result>, op: OperationContext): MaybePromise<ReplyBody> =>
    result instanceof Promise
      ? result.then((value) => definition.reply(value, op))
      : definition.reply(result, op);
  const perform =
    definition.plan === undefined
      ? (request: Request, op: OperationContext) => finish(definition.execute(request, op), op)
      : (request: Request, op: OperationContext) => {
          const plan = planned(op, () => definition.plan(request, op));
          return plan instanceof Promise
            ? plan.then((ready) => finish(definition.execute(ready, op), op))
            : finish(definition.execute(plan, op), op);
        };
  const isWrite = definition.kind === 'write' || definition.changesCollection === true;
  const changesDefinitions = definition.kind === 'admin' && definition.takesWriteConcern === true;
  return (body, op) => {
    const request = parse(body, op);
    const run = (): MaybePromise<ReplyBody> =>
      op.routedBy !== undefined || letHasScripts(op)
        ? preparing(() => perform(request, op))
        : perform(request, op);
    const { sharding } = op.service;
    if (sharding === undefined) return run();
    const enter = (): MaybePromise<ReplyBody> => {
      // What a router sends for a sharded collection does not concern the unsharded ones.
      const isForSharded = op.routedBy?.shardVersion?.isUnsharded === false;
      if (changesDefinitions && !isForSharded) {
        sharding.enterDefinitionChange(op, databaseIn(body));
      }
      return run();
    };
    if (op.routedBy === undefined) return enter();
    const admitted =
      body.namespace === undefined
        ? sharding.admitToDatabase(op, body.database)
        : sharding.admit(op, { namespace: body.namespace, isWrite });
    return admitted instanceof Promise ? admitted.then(enter) : enter();
  };
}

/** The database that a command is about: that of its namespace, which need not be the one it was sent to. */
function databaseIn({ namespace, database }: CommandBody): string {
  return namespace === undefined ? database : namespace.slice(0, namespace.indexOf('.'));
}

function letHasScripts({ commandBody }: OperationContext): boolean {
  const variables = getField(commandBody, 'let');
  return variables?.type === BsonType.object && variables.asDocument().includes('$function');
}

/** A command asks in vain so often. */
const MAX_PREPARATIONS = 10;

/** Runs a command again once what it could not wait for is there. @param perform has done nothing when it throws NotPrepared */
function preparing(
  perform: () => MaybePromise<ReplyBody>,
  left = MAX_PREPARATIONS,
): MaybePromise<ReplyBody> {
  const again = async (error: unknown): Promise<ReplyBody> => {
    if (!(error instanceof NotPrepared) || left === 0) throw error;
    await error.prepare();
    return preparing(perform, left - 1);
  };
  try {
    const reply = perform();
    return reply instanceof Promise ? reply.catch(again) : reply;
  } catch (error) {
    return again(error);
  }
}
