/**
 * A command as the router runs it: the traits of flintd's definition, with another way of doing it.
 */
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
  return { ...original, run: (body, op) => run({ original, router, op, body }) };
}

/** The namespace in the command's first field; currentOp and the log show it from now on. */
export function namespaceOf({ body, op }: Call): string {
  const namespace = body.collection();
  op.namespace = namespace;
  return namespace;
}
