/**
 * explain through the router: the plans of the shards, and what the router does with what they give.
 */
import {
  BsonType,
  DocumentBuilder,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { MONGODB_VERSION } from '../../server/index.ts';
import { type ReplyBody } from '../../server/cluster.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { withRoute } from '../routing/collection-route.ts';
import { shardedViewOf } from '../routing/views.ts';
import { targetsOf } from '../targeting/targets.ts';
import { documentIn } from '../writes/statement.ts';
import { numberIn } from '../writes/write-outcome.ts';
import { askAll, type ShardAnswer } from './ask-shards.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';

/** Where the filter of a command is. */
const FILTER_OF: Readonly<Record<string, (command: Buffer) => Buffer | undefined>> = {
  find: (command) => documentIn(command, 'filter'),
  count: (command) => documentIn(command, 'query'),
  distinct: (command) => documentIn(command, 'query'),
  findAndModify: (command) => documentIn(command, 'query'),
  findandmodify: (command) => documentIn(command, 'query'),
  update: (command) => firstFilter(command, 'updates'),
  delete: (command) => firstFilter(command, 'deletes'),
  aggregate: (command) => leadingMatch(command),
};

export function runExplain(call: Call): Promise<ReplyBody> {
  const { body } = call;
  const { target } = body;
  if (target.type === BsonType.object) return explainCommand(call, target.asDocument());
  throw body.wrongType('explain', target, "expected type 'object'");
}

/** @param command the one to explain; the call itself asks for it, as explain or as an aggregate with `explain: true`. */
export function explainCommand(call: Call, command: Buffer): Promise<ReplyBody> {
  const { router, op, body } = call;
  const { database } = body;
  const [name, collection] = fieldsOf(command)[Symbol.iterator]().next().value ?? ['', undefined];
  const filterOf = FILTER_OF[name];
  if (filterOf === undefined || collection?.typeName !== 'string') {
    throw new CommandError('IllegalOperation', `Cannot explain cmd: ${name}`);
  }
  const namespace = `${database}.${collection.asString()}`;
  op.namespace = namespace;
  const filter = filterOf(command) ?? EMPTY_DOCUMENT;
  const collation = documentIn(command, 'collation');
  return withRoute(router, op, namespace, async (route) => {
    if (route === undefined) {
      throw new CommandError('NamespaceNotFound', `database ${database} not found`);
    }
    if ((await shardedViewOf(router, op, route)) !== undefined) {
      throw new CommandError(
        'NotImplemented',
        `explaining ${namespace}, a view of a sharded collection, is not supported by FlintDB yet`,
      );
    }
    const { targets } = await targetsOf(router, op, route, filter, collation);
    const answers = await askAll(call, targets, { isRepeatable: true });
    const [first, ...others] = answers;
    if (name === 'aggregate') return explainedPipeline(answers, call, command);
    if (first !== undefined && others.length === 0 && route.database.version === undefined) {
      return passedOn(first.reply);
    }
    const hasSort = name === 'find' && documentIn(command, 'sort') !== undefined;
    const stage =
      others.length === 0 ? 'SINGLE_SHARD' : hasSort ? 'SHARD_MERGE_SORT' : 'SHARD_MERGE';
    return explained(answers, stage, { call, command });
  });
}

interface Explained {
  readonly call: Call;
  readonly command: Buffer;
}

function explained(
  answers: readonly ShardAnswer[],
  stage: string,
  { call, command }: Explained,
): ReplyBody {
  return (out: DocumentBuilder): void => {
    out.beginDocument('queryPlanner').append('winningPlan', winningPlan(answers, stage)).end();
    if (answers.some(({ reply }) => getField(reply, 'executionStats') !== undefined)) {
      appendExecution(out, answers, stage);
    }
    appendServer(out, call, command);
  };
}

function winningPlan(answers: readonly ShardAnswer[], stage: string) {
  const plan = new DocumentBuilder();
  plan.append('stage', stringValue(stage)).beginArray('shards');
  for (const [index, { shard, reply }] of answers.entries()) {
    plan.beginDocument(String(index));
    plan.appendString('explainVersion', getField(reply, 'explainVersion')?.asString() ?? '1');
    plan.appendString('shardName', shard.name).appendString('connectionString', shard.host);
    const server = documentIn(reply, 'serverInfo');
    if (server !== undefined) plan.appendDocument('serverInfo', server);
    plan.appendElementsOf(documentIn(reply, 'queryPlanner') ?? EMPTY_DOCUMENT);
    plan.end();
  }
  plan.end();
  return documentValue(plan.finish());
}

const TOTALS = ['nReturned', 'totalKeysExamined', 'totalDocsExamined'] as const;

function appendExecution(
  out: DocumentBuilder,
  answers: readonly ShardAnswer[],
  stage: string,
): void {
  const parts = answers.map(({ shard, reply }) => ({
    shard,
    statistics: documentIn(reply, 'executionStats') ?? EMPTY_DOCUMENT,
  }));
  const sum = (name: string): number =>
    parts.reduce((total, { statistics }) => total + numberIn(statistics, name), 0);
  const longest = Math.max(
    0,
    ...parts.map(({ statistics }) => numberIn(statistics, 'executionTimeMillis')),
  );
  out.beginDocument('executionStats');
  out.appendInteger('nReturned', sum('nReturned'));
  out.appendInteger('executionTimeMillis', longest);
  for (const name of TOTALS.slice(1)) out.appendInteger(name, sum(name));
  out.beginDocument('executionStages').appendString('stage', stage);
  for (const name of TOTALS) out.appendInteger(name, sum(name));
  out.appendInteger('executionTimeMillis', longest).beginArray('shards');
  for (const [index, { shard, statistics }] of parts.entries()) {
    out.beginDocument(String(index)).appendString('shardName', shard.name);
    out.appendElementsOf(statistics).end();
  }
  out.end().end().end();
}

/** Of a pipeline each shard tells all. */
function explainedPipeline(
  answers: readonly ShardAnswer[],
  call: Call,
  command: Buffer,
): ReplyBody {
  return (out: DocumentBuilder): void => {
    out.beginDocument('shards');
    for (const { shard, reply } of answers) {
      out.beginDocument(shard.name).appendString('host', shard.host);
      for (const [name, value] of fieldsOf(reply)) {
        if (PIPELINE_FIELDS.has(name)) out.append(name, value);
      }
      out.end();
    }
    out.end();
    appendServer(out, call, command);
  };
}

const PIPELINE_FIELDS: ReadonlySet<string> = new Set([
  'explainVersion',
  'stages',
  'queryPlanner',
  'executionStats',
]);

function appendServer(out: DocumentBuilder, { op }: Call, command: Buffer): void {
  const { host, port } = op.service.identity;
  out.beginDocument('serverInfo').appendString('host', host).appendInteger('port', port);
  out.appendString('version', MONGODB_VERSION).appendString('gitVersion', FLINTDB_VERSION).end();
  out.beginDocument('serverParameters').end();
  out.beginDocument('command').appendElementsOf(command).appendString('$db', op.database).end();
}

function firstFilter(command: Buffer, name: string): Buffer | undefined {
  const list = getField(command, name);
  if (list?.type !== BsonType.array) return undefined;
  const first = getField(list.asDocument(), '0');
  return first?.type === BsonType.object ? documentIn(first.asDocument(), 'q') : undefined;
}

function leadingMatch(command: Buffer): Buffer | undefined {
  const list = getField(command, 'pipeline');
  if (list?.type !== BsonType.array) return undefined;
  const first = getField(list.asDocument(), '0');
  return first?.type === BsonType.object ? documentIn(first.asDocument(), '$match') : undefined;
}
