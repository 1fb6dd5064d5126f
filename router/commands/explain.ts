/**
 * explain through the router: the plans of the shards, and what the router does with what they give.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { MONGODB_VERSION } from '../../server/index.ts';
import { parseAggregate, parseRequest, type ReplyBody } from '../../server/cluster.ts';
import { findAsPipeline } from '../../query/index.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { runsWhole } from '../merge/pipeline-run.ts';
import { splitPipeline, type SplitPipeline } from '../merge/split-pipeline.ts';
import { collectionOf, databaseOf } from '../network/read-all.ts';
import { withRoute, type CollectionRoute } from '../routing/collection-route.ts';
import { collationThrough, joinsShardedView, orOverView } from '../routing/views.ts';
import { targetsOf } from '../targeting/targets.ts';
import { documentIn } from '../writes/statement.ts';
import { numberIn } from '../writes/write-outcome.ts';
import { askAll, type ShardAnswer } from './ask-shards.ts';
import { parseFind } from './find.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';
import { appendLimits, appendVersions } from './shard-request.ts';

/** Where the filter of a command is. */
const FILTER_OF: Readonly<Record<string, (command: Buffer) => Buffer | undefined>> = {
  find: (command) => documentIn(command, 'filter'),
  count: (command) => documentIn(command, 'query'),
  distinct: (command) => documentIn(command, 'query'),
  findAndModify: (command) => documentIn(command, 'query'),
  findandmodify: (command) => documentIn(command, 'query'),
  update: (command) => firstFilter(command, 'updates'),
  delete: (command) => firstFilter(command, 'deletes'),
  aggregate: () => undefined,
};

export function runExplain(call: Call): Promise<ReplyBody> | ReplyBody {
  const { body } = call;
  const { target } = body;
  if (target.type === BsonType.object) return explainCommand(call, target.asDocument());
  throw body.wrongType('explain', target, "expected type 'object'");
}

/** @param command the one to explain; the call itself asks for it, as explain or as an aggregate with `explain: true`. */
export function explainCommand(call: Call, command: Buffer): Promise<ReplyBody> | ReplyBody {
  const { router, op, body } = call;
  const { database } = body;
  const [name, collection] = fieldsOf(command)[Symbol.iterator]().next().value ?? ['', undefined];
  const filterOf = FILTER_OF[name];
  // A pipeline of its own documents is the router's, and so is the word about what cannot be explained.
  if (filterOf === undefined || collection?.typeName !== 'string') {
    return call.original.run(body, op);
  }
  const namespace = `${database}.${collection.asString()}`;
  op.namespace = namespace;
  if (name === 'find' || name === 'aggregate' || name === 'distinct') {
    router.querySettings.apply(op, command, { isExplained: true });
  }
  if (name === 'aggregate') return explainPipeline(call, command, pipelineOf(call, command));
  const filter = filterOf(command) ?? EMPTY_DOCUMENT;
  const collation = documentIn(command, 'collation');
  return withRoute(router, op, namespace, (route) =>
    orOverView(
      async () => {
        const known = existing(route, database);
        const { targets } = await targetsOf(router, op, known, filter, collation);
        const answers = await askAll(call, targets, { isRepeatable: true });
        const [first, ...others] = answers;
        if (first !== undefined && others.length === 0 && known.database.version === undefined) {
          return passedOn(first.reply);
        }
        const hasSort = name === 'find' && documentIn(command, 'sort') !== undefined;
        const stage =
          others.length === 0 ? 'SINGLE_SHARD' : hasSort ? 'SHARD_MERGE_SORT' : 'SHARD_MERGE';
        return explained(answers, stage, { call, command });
      },
      (view) =>
        explainPipeline(call, command, {
          namespace: view.namespace,
          pipeline: [...view.pipeline, ...stagesFor(name, call, command)],
          collation: collationThrough(view, collation),
        }),
    ),
  );
}

function existing(route: CollectionRoute | undefined, database: string): CollectionRoute {
  if (route !== undefined) return route;
  throw new CommandError('NamespaceNotFound', `database ${database} not found`);
}

interface ExplainedPipeline {
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer | undefined;
}

function pipelineOf({ body }: Call, command: Buffer): ExplainedPipeline {
  const source = { bytes: command, sequences: [], database: body.database };
  // Else it is the aggregate itself that asks, with an option of its own.
  const isInside = body.target.type === BsonType.object;
  const nested = parseRequest('aggregate', source).body;
  const { namespace, pipeline, collation } = parseAggregate(nested, isInside);
  return { namespace, pipeline, collation };
}

/** What a command on a view asks of the view's documents. */
function stagesFor(name: string, call: Call, command: Buffer): readonly Buffer[] {
  const source = { bytes: command, sequences: [], database: call.body.database };
  const { body } = parseRequest(name, source);
  switch (name) {
    case 'find':
      return findAsPipeline(parseFind({ ...call, body }));
    case 'count': {
      const filter = body.document('query', EMPTY_DOCUMENT);
      const skip = body.limit('skip') ?? 0;
      const limit = Math.abs(body.integer('limit', undefined) ?? 0);
      return [
        ...findAsPipeline({ filter, skip, limit }),
        documentOf({ $count: stringValue('count') }),
      ];
    }
    default: {
      const values = documentOf({ $addToSet: stringValue(`$${body.string('key')}`) });
      const group = new DocumentBuilder().appendNull('_id').appendDocument('distinct', values);
      const filter = body.document('query', EMPTY_DOCUMENT);
      return [...findAsPipeline({ filter }), documentOf({ $group: group.finish() })];
    }
  }
}

/** Each shard explains its part; which parts there are, the router says. */
function explainPipeline(
  call: Call,
  command: Buffer,
  explained: ExplainedPipeline,
): Promise<ReplyBody> {
  const { router, op, body } = call;
  const { namespace, pipeline, collation } = explained;
  return withRoute(router, op, namespace, (route) =>
    orOverView(
      async () => {
        const known = existing(route, body.database);
        const filter = leadingMatch(pipeline) ?? EMPTY_DOCUMENT;
        const { targets } = await targetsOf(router, op, known, filter, collation);
        const asked = async (split: SplitPipeline | undefined): Promise<ReplyBody> => {
          const part = split?.shardPart ?? pipeline;
          const answers = await Promise.all(
            targets.map(async ({ shard, versions }) => {
              const request = explainRequest(call, command, { ...explained, pipeline: part });
              appendLimits(request, op);
              appendVersions(request, versions);
              return { shard, reply: await shard.command(request.finish(), op) };
            }),
          );
          return explainedPipeline(answers, split, { call, command });
        };
        if (await runsWhole(router, op, { namespace, pipeline }, targets, known)) {
          try {
            return await asked(undefined);
          } catch (error) {
            if (!joinsShardedView(error)) throw error;
          }
        }
        return asked(splitPipeline(pipeline));
      },
      (view) =>
        explainPipeline(call, command, {
          namespace: view.namespace,
          pipeline: [...view.pipeline, ...pipeline],
          collation: collationThrough(view, collation),
        }),
    ),
  );
}

/** Fields of commands that a pipeline in their place has, too. */
const KEPT: ReadonlySet<string> = new Set(['hint', 'let', 'allowDiskUse', 'comment']);

function explainRequest(
  { body }: Call,
  command: Buffer,
  { namespace, pipeline, collation }: ExplainedPipeline,
): DocumentBuilder {
  const stages = new ArrayBuilder();
  for (const stage of pipeline) stages.pushDocument(stage);
  const nested = new DocumentBuilder().appendString('aggregate', collectionOf(namespace));
  nested.append('pipeline', arrayValue(stages.finish())).appendDocument('cursor', EMPTY_DOCUMENT);
  if (collation !== undefined) nested.appendDocument('collation', collation);
  for (const [name, value] of fieldsOf(command)) if (KEPT.has(name)) nested.append(name, value);
  const out = new DocumentBuilder().appendDocument('explain', nested.finish());
  const isAggregate = body.target.type !== BsonType.object;
  out.append(
    'verbosity',
    isAggregate
      ? stringValue('queryPlanner')
      : (getField(body.bytes, 'verbosity') ?? stringValue('allPlansExecution')),
  );
  return out.appendString('$db', databaseOf(namespace));
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

/** Of its part each shard tells all. @param split undefined: one shard does the whole */
function explainedPipeline(
  answers: readonly ShardAnswer[],
  split: SplitPipeline | undefined,
  { call, command }: Explained,
): ReplyBody {
  return (out: DocumentBuilder): void => {
    if (split === undefined) out.appendNull('splitPipeline');
    else {
      out.appendString('mergeType', 'mongos').beginDocument('splitPipeline');
      appendStages(out, 'shardsPart', split.shardPart);
      appendStages(out, 'mergerPart', split.mergePart);
      out.end();
    }
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

function appendStages(out: DocumentBuilder, name: string, stages: readonly Buffer[]): void {
  const list = new ArrayBuilder();
  for (const stage of stages) list.pushDocument(stage);
  out.append(name, arrayValue(list.finish()));
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

function leadingMatch([first]: readonly Buffer[]): Buffer | undefined {
  return first === undefined ? undefined : documentIn(first, '$match');
}
