/**
 * A command as the router runs it: the traits of flintd's definition, with another way of doing it.
 */
import { documentValue, getField } from '../../bson/index.ts';
import type { CommandBody } from '../../server/index.ts';
import type { Command, OperationContext, ReplyBody } from '../../server/cluster.ts';
import type { Router } from '../router.ts';

/** One command under way in the router. */
export interface Call {
  /** flintd's own, over the router's empty engine: what it answers where there is nothing. */
  readonly original: Command;
  readonly router: Router;
  readonly op: OperationContext;
  readonly body: CommandBody;
}

export type RunRouted = (call: Call) => Promise<ReplyBody> | ReplyBody;

/** flintd's command by name, answered by `run`. Only shards look at fields that the router has no use for, and refuse what they do not know. */
export function routedCommand(original: Command, router: Router, run: RunRouted): Command {
  const writes = original.kind === 'write' || original.takesWriteConcern === true;
  return {
    ...original,
    run: (given, op) => {
      const body = writes ? withDefault(given, router) : given;
      return run({ original, router, op, body });
    },
  };
}

/** A write whose client names no write concern has the cluster's. */
function withDefault(body: CommandBody, { settings }: Router): CommandBody {
  const { defaultWriteConcern } = settings;
  if (defaultWriteConcern === undefined || getField(body.bytes, 'writeConcern') !== undefined) {
    return body;
  }
  return body.withGeneric('writeConcern', documentValue(defaultWriteConcern));
}

/** The namespace in the command's first field; currentOp and the log show it from now on. */
export function namespaceOf({ body, op }: Call): string {
  const namespace = body.collection();
  op.namespace = namespace;
  return namespace;
}
