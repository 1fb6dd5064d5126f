/**
 * Commands about what the cluster has set for all of its servers: the config server keeps it, and this router goes by it at once.
 */
import { DocumentBuilder, fieldsOf } from '../../bson/index.ts';
import type { ReplyBody } from '../../server/cluster.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';
import { shardRequest } from './shard-request.ts';

/** The config server's own command does it. */
export async function runOnConfigServer({ router, op, body }: Call): Promise<ReplyBody> {
  return passedOn(await router.shards.config.command(shardRequest(op, body.bytes), op));
}

export async function runSetClusterParameter(call: Call): Promise<ReplyBody> {
  const reply = await runOnConfigServer(call);
  await refresh(call);
  return reply;
}

export function runGetDefaultRWConcern(call: Call): Promise<ReplyBody> {
  return askForDefaults(call, '_configsvrGetDefaultRWConcern');
}

export async function runSetDefaultRWConcern(call: Call): Promise<ReplyBody> {
  const reply = await askForDefaults(call, '_configsvrSetDefaultRWConcern');
  await refresh(call);
  return reply;
}

async function askForDefaults({ router, op, body }: Call, name: string): Promise<ReplyBody> {
  const request = shardRequest(op, body.bytes);
  const out = new DocumentBuilder(request.length + 32);
  let isFirst = true;
  for (const [field, value] of fieldsOf(request)) {
    out.append(isFirst ? name : field, value);
    isFirst = false;
  }
  return passedOn(await router.shards.config.command(out.finish(), op));
}

function refresh({ router, op }: Call): Promise<void> {
  return router.settings.refresh(op.service.clusterParameters, op);
}
