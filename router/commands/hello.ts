/**
 * hello and isMaster of a router: flintd's answer, and the word by which drivers know a router.
 *
 * Without logicalSessionTimeoutMinutes: shards know neither sessions nor retryable writes of routers yet, and a driver that believed they
 * did would send every write with a transaction number.
 */
import type { Command, ReplyBody, ReplyFields } from '../../server/cluster.ts';

/** @param original flintd's hello or isMaster */
export function routerHello(original: Command): Command {
  return {
    ...original,
    run: (body, op) => {
      const reply = original.run(body, op);
      return reply instanceof Promise ? reply.then(asRouter) : asRouter(reply);
    },
  };
}

function asRouter(reply: ReplyBody): ReplyBody {
  // Both write plain fields.
  if (typeof reply === 'function' || Buffer.isBuffer(reply)) return reply;
  const { helloOk, isWritablePrimary, ismaster, logicalSessionTimeoutMinutes: _, ...rest } = reply;
  const first: ReplyFields = { helloOk, isWritablePrimary, ismaster, msg: 'isdbgrid' };
  return { ...first, ...rest };
}
