/**
 * distinct: the different values of a field.
 * Source: MongoDB's manual, "distinct".
 */
import { arrayValue, EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { type DistinctPlan, type DistinctRequest, planDistinct } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { admitInvolved } from '../../sharding/involved-collections.ts';
import { queryContext } from './query-context.ts';
import { hintIn } from './statement.ts';

export interface DistinctCommandRequest {
  readonly namespace: string;
  readonly distinct: DistinctRequest;
  readonly collation: Buffer | undefined;
}

export const distinct = defineCommand({
  name: 'distinct',
  help: 'Returns the distinct values of a field.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  parse: parseDistinct,
  plan: planDistinctCommand,
  execute: (plan, op) =>
    plan.values(op.view(), op, {
      ...op.planOptions,
      renewView: () => op.renewView(),
    }),
  reply: (values) => ({ values: arrayValue(values) }),
});

export function parseDistinct(body: CommandBody): DistinctCommandRequest {
  const namespace = body.collection();
  const key = body.string('key');
  uassert(!key.includes('\0'), 31032, 'Key field cannot contain an embedded null byte');
  const hint = hintIn(body);
  body.expectCollection();
  return {
    namespace,
    distinct: {
      key,
      filter: body.document('query', EMPTY_DOCUMENT),
      ...(hint === undefined ? {} : { hint }),
    },
    collation: body.document('collation', undefined),
  };
}

export function planDistinctCommand(
  request: DistinctCommandRequest,
  op: OperationContext,
): DistinctPlan {
  const view = op.view();
  const collection = view.collection(request.namespace);
  admitInvolved(op, { view, namespace: request.namespace, collection });
  const context = queryContext(op, { collation: request.collation, collection });
  const { namespace, distinct } = request;
  return planDistinct(view, collection, { ...distinct, namespace }, context);
}
