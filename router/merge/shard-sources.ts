/**
 * What stages without a collection give on all shards: $currentOp, $listCatalog.
 *
 * An operation's opid gets its shard's name before it, by which killOp finds it. The router's own operations are shown with localOps.
 * Source: MongoDB's manual, "$currentOp (aggregation)".
 */
import {
  arrayValue,
  ArrayBuilder,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
} from '../../bson/index.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { appendLimits } from '../commands/shard-request.ts';
import { readCursor } from '../network/read-all.ts';
import type { Router } from '../router.ts';

/** Adds its shard to what one gave. */
type OfShard = (document: Buffer, shard: string) => Buffer;

const SOURCES: Readonly<Record<string, OfShard>> = {
  $currentOp: operationOf,
  $listCatalog: (entry, shard) =>
    new DocumentBuilder(entry.length + 64)
      .appendElementsOf(entry)
      .appendString('shard', shard)
      .finish(),
};

/** @returns undefined for what is the router's own. */
export function sourceOfShards(
  router: Router,
  op: OperationContext,
  stage: string,
  argument: Buffer,
): AsyncGenerator<Buffer> | undefined {
  const isLocal = getField(argument, 'localOps')?.isTruthy() === true;
  if (SOURCES[stage] === undefined || isLocal) return undefined;
  return generated(ofAllShards(router, op, stage, argument));
}

async function* generated(entries: Promise<readonly Buffer[]>): AsyncGenerator<Buffer> {
  yield* await entries;
}

/** @param stage one of those above. @throws the error of the first shard that has one */
export async function ofAllShards(
  router: Router,
  op: OperationContext,
  stage: string,
  argument: Buffer,
): Promise<readonly Buffer[]> {
  const stages = new ArrayBuilder();
  stages.pushDocument(documentOf({ [stage]: documentValue(argument) }));
  const command = new DocumentBuilder().appendInt32('aggregate', 1);
  command.append('pipeline', arrayValue(stages.finish())).appendDocument('cursor', EMPTY_DOCUMENT);
  const comment = getField(op.commandBody, 'comment');
  if (comment !== undefined) command.append('comment', comment);
  command.appendString('$db', 'admin');
  appendLimits(command, op);
  const body = command.finish();
  const shards = await router.shards.all(op);
  const asOfShard = SOURCES[stage];
  const lists = await Promise.all(
    shards.map(async (shard) => {
      const entries = await readCursor(shard, op, body);
      return entries.map((entry) => asOfShard(entry, shard.name));
    }),
  );
  return lists.flat();
}

/** The client of a shard is a router, most of the time: its address has another name. */
function operationOf(entry: Buffer, shard: string): Buffer {
  const out = new DocumentBuilder(entry.length + 64).appendString('shard', shard);
  for (const [name, value] of fieldsOf(entry)) {
    if (name === 'opid') out.appendString(name, `${shard}:${value.asNumber()}`);
    else out.append(name === 'client' ? 'client_s' : name, value);
  }
  return out.finish();
}
