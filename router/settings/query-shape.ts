/**
 * The shape of a find, distinct or aggregate as one hash: queries of one shape have the same query settings.
 *
 * A filter's shape is the planner's; of a pipeline the $match stages have such a shape, $limit and $skip have no number, and all else
 * counts as it is written. The hashes are not those of MongoDB.
 * Source: MongoDB's manual, "Query Shapes".
 */
import { createHash } from 'node:crypto';
import { BsonType, inspect, isEmpty } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { compileQueryFilter, shapeOf } from '../../query/index.ts';
import {
  parseAggregate,
  parseDistinct,
  parseFindRequest,
  parseRequest,
  queryContext,
  type OperationContext,
} from '../../server/cluster.ts';
import { argumentOf, nameOf } from '../merge/split-pipeline.ts';

export interface QueryShape {
  readonly namespace: string;
  readonly command: string;
  /** What the hash is of, to be read by people. */
  readonly text: string;
  /** 64 upper-case hexadecimal digits. */
  readonly hash: string;
  /** A find by nothing but _id: it needs no plan. */
  readonly isById: boolean;
}

interface Conditions {
  readonly filter: Buffer;
  readonly sort?: Buffer | undefined;
  readonly projection?: Buffer | undefined;
  readonly collation: Buffer | undefined;
  readonly variables?: Buffer | undefined;
}

/** @param query the command. @throws CommandError for one that is wrong, or none of the three */
export function queryShapeOf(op: OperationContext, query: Buffer, database: string): QueryShape {
  const command = nameOf(query);
  const source = { bytes: query, sequences: [], database };
  switch (command) {
    case 'find': {
      const { body } = parseRequest('find', source);
      const { find, namespace, collation, variables, awaitData } = parseFindRequest(body);
      const { filter, sort, projection, hint } = find;
      const parts = [shapeOfFilter(op, { filter, sort, projection, collation, variables })];
      if (find.skip !== undefined) parts.push('skip');
      if (find.limit !== undefined) parts.push('limit');
      if (hint !== undefined) parts.push(`hint ${textOf(hint)}`);
      for (const bound of ['min', 'max'] as const) {
        const given = find[bound];
        if (given !== undefined && !isEmpty(given)) parts.push(`${bound} ${inspect(given)}`);
      }
      for (const flag of ['returnKey', 'showRecordId', 'tailable'] as const) {
        if (find[flag] === true) parts.push(flag);
      }
      if (awaitData) parts.push('awaitData');
      return shapeFrom({ command, namespace, parts, isById: isById(filter) });
    }
    case 'distinct': {
      const { body } = parseRequest('distinct', source);
      const { distinct, namespace, collation } = parseDistinct(body);
      const { key, filter } = distinct;
      const parts = [key, shapeOfFilter(op, { filter, collation })];
      return shapeFrom({ command, namespace, parts, isById: false });
    }
    case 'aggregate': {
      const { body } = parseRequest('aggregate', source);
      const { namespace, pipeline, collation, variables } = parseAggregate(body, true);
      const parts = pipeline.map((stage) => shapeOfStage(op, stage, { collation, variables }));
      return shapeFrom({ command, namespace, parts, isById: false });
    }
    default:
      throw new CommandError(
        7_746_402,
        `QueryShape can not be computed for command: ${command} (find, distinct and aggregate have one)`,
      );
  }
}

function shapeFrom({
  command,
  namespace,
  parts,
  isById: byId,
}: {
  readonly command: string;
  readonly namespace: string;
  readonly parts: readonly string[];
  readonly isById: boolean;
}): QueryShape {
  const text = parts.join('; ');
  const hash = createHash('sha256')
    .update(JSON.stringify([command, namespace, ...parts]))
    .digest('hex')
    .toUpperCase();
  return { command, namespace, text, hash, isById: byId };
}

function shapeOfFilter(op: OperationContext, conditions: Conditions): string {
  const { filter, sort, projection, collation, variables } = conditions;
  const context = queryContext(op, { collation, variables });
  const { tree } = compileQueryFilter(filter, context);
  return shapeOf({ tree, sort, projection, context });
}

function shapeOfStage(
  op: OperationContext,
  stage: Buffer,
  context: Pick<Conditions, 'collation' | 'variables'>,
): string {
  const name = nameOf(stage);
  const argument = argumentOf(stage);
  if (name === '$limit' || name === '$skip') return name;
  if (name === '$match' && argument?.type === BsonType.object) {
    return `$match ${shapeOfFilter(op, { ...context, filter: argument.asDocument() })}`;
  }
  return inspect(stage);
}

function isById(filter: Buffer): boolean {
  if (nameOf(filter) !== '_id') return false;
  const value = argumentOf(filter);
  const isOperator = value?.type === BsonType.object && nameOf(value.asDocument()).startsWith('$');
  // Nothing behind it: type, name, value, end.
  return !isOperator && value !== undefined && value.end === filter.length - 1;
}

function textOf(hint: string | Buffer): string {
  return typeof hint === 'string' ? hint : inspect(hint);
}
