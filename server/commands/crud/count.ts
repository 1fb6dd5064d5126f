/**
 * count: how many documents match a filter.
 * Source: MongoDB's manual, "count".
 */
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { type CountPlan, type CountRequest, planCount } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { admitInvolved } from '../../sharding/involved-collections.ts';
import { queryContext } from './query-context.ts';
import { hintIn } from './statement.ts';

export interface CountCommandRequest {
  readonly namespace: string;
  readonly count: CountRequest;
  readonly collation: Buffer | undefined;
}

export const count = defineCommand({
  name: 'count',
  help: 'Counts the documents that match a filter.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'shardsOfFilter',
  apiVersions: ['1'],
  parse: parseCount,
  plan: planCountCommand,
  execute: (plan, op) =>
    plan.count(op.view(), op, {
      ...op.planOptions,
      renewView: () => op.renewView(),
    }),
  reply: (n) => ({ n }),
});

export function parseCount(body: CommandBody): CountCommandRequest {
  const namespace = body.collection();
  const skip = body.limit('skip');
  // A negative limit counts as its absolute value.
  const limit = body.integer('limit', undefined);
  const hint = hintIn(body);
  body.expectCollection();
  body.refuse('encryptionInformation', 'mirrored');
  body.ignore('fields');
  return {
    namespace,
    count: {
      filter: body.document('query', EMPTY_DOCUMENT),
      ...(skip === undefined ? {} : { skip }),
      ...(limit === undefined ? {} : { limit: Math.abs(limit) }),
      ...(hint === undefined ? {} : { hint }),
    },
    collation: body.document('collation', undefined),
  };
}

export function planCountCommand(request: CountCommandRequest, op: OperationContext): CountPlan {
  const view = op.view();
  const collection = view.collection(request.namespace);
  admitInvolved(op, { view, namespace: request.namespace, collection });
  const context = queryContext(op, { collation: request.collation, collection });
  const { namespace, count } = request;
  return planCount(view, collection, { ...count, namespace }, context);
}
