/**
 * The reply of explain: what the plan says of itself, the command, and which server answered.
 * Source: MongoDB's manual, "Explain Results".
 */
import { FLINTDB_VERSION } from '../../../common/version.ts';
import type { ExplainVerbosity, QueryPlan } from '../../../query/index.ts';
import type { MaybePromise } from '../../../storage/index.ts';
import { MONGODB_VERSION } from '../../version.ts';
import { isGenericArgument } from '../../command/generic-arguments.ts';
import { appendFields, type ReplyBody } from '../../command/reply.ts';
import { DocumentBuilder, FieldCursor } from '../../../bson/index.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

/** Anything that can explain itself: plans of queries, counts and distincts. */
export type Explainable = Pick<QueryPlan, 'explain'>;

export function explainReply(
  plan: Explainable,
  verbosity: ExplainVerbosity,
  op: OperationContext,
  command: Buffer,
): MaybePromise<ReplyBody> {
  const explained = plan.explain(verbosity, op.view(), op);
  if (explained instanceof Promise) return explained.then((ready) => replyWith(ready, op, command));
  return replyWith(explained, op, command);
}

function replyWith(explained: Buffer, op: OperationContext, command: Buffer): ReplyBody {
  const { host, port } = op.service.identity;
  return (out) => {
    out.appendElementsOf(explained);
    out.appendDocument('command', explainedCommand(command, op.database));
    appendFields(out, {
      serverInfo: { host, port, version: MONGODB_VERSION, gitVersion: FLINTDB_VERSION },
      serverParameters: {},
    });
  };
}

/** The command without what every command carries, and with its database, as MongoDB shows it. */
function explainedCommand(command: Buffer, database: string): Buffer {
  const out = new DocumentBuilder();
  const fields = new FieldCursor(command);
  while (fields.next()) {
    if (!isGenericArgument(fields.name)) out.append(fields.name, fields.value());
  }
  return out.appendString('$db', database).finish();
}
