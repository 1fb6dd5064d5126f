/**
 * explain: how another command would run, and on request what it met on the way.
 *
 * A write that is explained with execution statistics shows the search for its documents and changes nothing.
 * Source: MongoDB's manual, "explain".
 */
import { BsonType, firstFieldName, getField } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { ExplainVerbosity } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { namespaceOf } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import { parseRequest } from '../../command/generic-arguments.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { parseAggregate, planAggregateCommand } from './aggregate.ts';
import { parseBulkWrite, planBulkWriteForExplain } from './bulkWrite.ts';
import { parseCount, planCountCommand } from './count.ts';
import { parseDeleteRequest, planDeleteForExplain } from './delete.ts';
import { parseDistinct, planDistinctCommand } from './distinct.ts';
import { type Explainable, explainReply } from './explain-reply.ts';
import { parseFind, planFindCommand } from './find.ts';
import { parseFindAndModify, planFindAndModifyForExplain } from './findAndModify.ts';
import { parseMapReduce, planMapReduce } from './mapReduce.ts';
import { parseUpdateRequest, planUpdateForExplain } from './update.ts';

/** Parses the command inside explain and plans it. */
type PlanForExplain = (body: CommandBody, op: OperationContext) => Explainable;

const EXPLAINABLE: ReadonlyMap<string, PlanForExplain> = new Map<string, PlanForExplain>([
  ['aggregate', (body, op) => planAggregateCommand(parseAggregate(body, true), op)],
  ['bulkWrite', (body, op) => planBulkWriteForExplain(parseBulkWrite(body), op)],
  ['count', (body, op) => planCountCommand(parseCount(body), op)],
  ['delete', (body, op) => planDeleteForExplain(parseDeleteRequest(body), op)],
  ['distinct', (body, op) => planDistinctCommand(parseDistinct(body), op)],
  ['find', (body, op) => planFindCommand(parseFind(body), op)],
  ['findAndModify', (body, op) => planFindAndModifyForExplain(parseFindAndModify(body), op)],
  ['findandmodify', (body, op) => planFindAndModifyForExplain(parseFindAndModify(body), op)],
  ['mapReduce', (body, op) => planMapReduce(parseMapReduce(body), op)],
  ['mapreduce', (body, op) => planMapReduce(parseMapReduce(body), op)],
  ['update', (body, op) => planUpdateForExplain(parseUpdateRequest(body), op)],
]);

export const explain = defineCommand({
  name: 'explain',
  help: 'Shows how another command would run.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  parse: (body, op) => {
    if (body.target.type !== BsonType.object) {
      throw body.wrongType('explain', body.target, "expected type 'object'");
    }
    const command = body.target.asDocument();
    // A router's versions, which stand beside the command, are about the command's collection.
    if (op.routedBy !== undefined) body.namespace = explainedNamespace(command, body);
    return {
      command,
      database: body.database,
      sequences: body.sequences,
      verbosity: verbosityOf(body),
    };
  },
  execute: ({ command, database, sequences, verbosity }, op) => {
    const name = firstFieldName(command) ?? '';
    const plan = EXPLAINABLE.get(name);
    if (plan === undefined) throw notExplainable(name, op);
    const { body } = parseRequest(name, { bytes: command, sequences, database });
    const explainable = plan(body, op);
    body.rejectUnknownFields();
    op.namespace = body.namespace ?? op.namespace;
    return explainReply(explainable, verbosity, op, command);
  },
  reply: (body) => body,
});

function explainedNamespace(command: Buffer, { database }: CommandBody): string | undefined {
  const collection = getField(command, firstFieldName(command) ?? '');
  return collection?.type === BsonType.string
    ? namespaceOf(database, collection.asString())
    : undefined;
}

function notExplainable(name: string, op: OperationContext): CommandError {
  for (const known of op.service.commands.all()) {
    if (known.name !== name && !known.aliases.includes(name)) continue;
    return new CommandError('IllegalOperation', `Cannot explain cmd: ${name}`);
  }
  return new CommandError('CommandNotFound', `Explain failed due to unknown command: ${name}`);
}

const VERBOSITIES = ['queryPlanner', 'executionStats', 'allPlansExecution'] as const;

function verbosityOf(body: CommandBody): ExplainVerbosity {
  const text = body.string('verbosity', 'allPlansExecution');
  const verbosity = VERBOSITIES.find((each) => each === text);
  if (verbosity !== undefined) return verbosity;
  throw new CommandError(
    'BadValue',
    `Enumeration value '${text}' for field 'explain.verbosity' is not a valid value.`,
  );
}
