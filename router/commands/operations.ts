/**
 * Running operations of all shards: currentOp and killOp through the router.
 * Source: MongoDB's manual, "currentOp", "killOp"; jstests/sharding/features13.js.
 */
import { documentOf } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import {
  matchingOperations,
  parseCurrentOp,
  type Command,
  type OperationContext,
  type ReplyBody,
} from '../../server/cluster.ts';
import { ofAllShards } from '../merge/shard-sources.ts';
import type { Router } from '../router.ts';
import type { Call } from './routed-command.ts';

export async function runCurrentOp({ router, op, body }: Call): Promise<ReplyBody> {
  const request = parseCurrentOp(body);
  const { withIdle } = request;
  const argument = documentOf({ idleConnections: withIdle, idleCursors: withIdle });
  const entries = await ofAllShards(router, op, '$currentOp', argument);
  return { inprog: matchingOperations(entries, request, op) };
}

/** "shard:opid", each of at least one character. */
const OPID_OF_SHARD = /^([^:]+):(.+)$/s;
const INTEGER = /^[+-]?\d+$/;

/** @param original flintd's killOp, which ends an operation of the router itself */
export function routedKillOp(original: Command, router: Router): Command {
  return {
    ...original,
    run: (body, op) => {
      const opid = body.value('op');
      return opid?.typeName === 'string'
        ? killOnShard(router, op, opid.asString())
        : original.run(body, op);
    },
  };
}

async function killOnShard(router: Router, op: OperationContext, opid: string): Promise<ReplyBody> {
  const [, name, number] = OPID_OF_SHARD.exec(opid) ?? [];
  uassert(
    name !== undefined && number !== undefined,
    28_625,
    `The op argument to killOp must be of the format shardid:opid but found "${opid}"`,
  );
  const shard = await router.shards.get(name, op);
  uassert(INTEGER.test(number), 'FailedToParse', `Did not consume whole string: "${number}"`);
  const operation = Number(number);
  await shard.command(documentOf({ killOp: 1, op: operation, $db: 'admin' }), op);
  return { shard: name, shardid: operation };
}
