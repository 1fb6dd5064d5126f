/**
 * A sharded collection's routing for commands that need one, with MongoDB's answer for every namespace that is none.
 */
import { documentOf, EMPTY_DOCUMENT, FieldCursor, getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionRouting, OperationContext } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';

/** @throws CommandError NamespaceNotFound for what is not there at all, NamespaceNotSharded */
export async function requireSharded(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
): Promise<CollectionRouting> {
  const { catalog } = server;
  const routing = await catalog.tryRouting(op, namespace);
  if (routing !== undefined) return routing;
  if (await isThere(server, op, namespace)) {
    throw new CommandError('NamespaceNotSharded', `Namespace ${namespace} is not sharded`);
  }
  throw new CommandError('NamespaceNotFound', `Namespace ${namespace} does not exist`);
}

/** Whether the primary shard has a collection of this name. */
async function isThere(
  { catalog, peers }: ConfigServer,
  op: OperationContext,
  namespace: string,
): Promise<boolean> {
  const dot = namespace.indexOf('.');
  const $db = namespace.slice(0, dot);
  const database = await catalog.tryDatabase($db);
  if (database === undefined) return false;
  const { host } = await catalog.shard(op, database.primary);
  const filter = documentOf({ name: namespace.slice(dot + 1) });
  const reply = await peers.ask(
    host,
    documentOf({ listCollections: 1, filter, nameOnly: true, $db }),
    { interruption: op },
  );
  const cursor = getField(reply, 'cursor')?.asDocument() ?? EMPTY_DOCUMENT;
  return new FieldCursor(getField(cursor, 'firstBatch')?.asDocument() ?? EMPTY_DOCUMENT).next();
}
