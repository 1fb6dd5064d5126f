/**
 * Commands about collections and indexes: on the primary shard, or on every shard that has a part of the collection.
 */
import {
  booleanValue,
  DocumentBuilder,
  documentOf,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  DocumentListProducer,
  firstBatch,
  nestedBody,
  type ReplyBody,
} from '../../server/cluster.ts';
import { MergedCursor } from '../merge/merged-cursor.ts';
import { openCursors } from '../merge/open-cursors.ts';
import { databaseOf } from '../network/read-all.ts';
import {
  primaryTarget,
  withRoute,
  type CollectionRoute,
  type ShardTarget,
} from '../routing/collection-route.ts';
import { numberIn } from '../writes/write-outcome.ts';
import { askAll, askOwners, ownersOf, primaryOf, type ShardAnswer } from './ask-shards.ts';
import { namespaceOf, type Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';
import { shardRequest } from './shard-request.ts';

/** The part of a cluster where a collection is made. */
export function runCreate(call: Call): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return withRoute(
    call.router,
    call.op,
    namespace,
    async (route) => {
      if (route === undefined) throw noDatabase(namespace);
      const [answer] = await askAll(call, [await primaryOf(call, route)]);
      return onlyReply(answer, namespace);
    },
    { create: true },
  );
}

/** What one shard answers for the whole collection: all of them do the same. */
export function runOnOwners(call: Call, create = false): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return askOwners(call, namespace, { create }).then((answers) => {
    if (answers === undefined) throw noDatabase(namespace);
    const [first, ...others] = answers;
    if (others.length === 0) return onlyReply(first, namespace);
    return (out: DocumentBuilder): void => {
      out.beginDocument('raw');
      for (const { shard, reply } of answers) out.appendDocument(shard.host, reply);
      out.end();
      for (const [name, value] of fieldsOf(first.reply)) if (name !== 'ok') out.append(name, value);
    };
  });
}

/** A capped collection has one order of insertion, and so one shard. */
export function runConvertToCapped(call: Call): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return withRoute(call.router, call.op, namespace, async (route) => {
    if (route === undefined) throw noDatabase(namespace);
    if (route.sharded !== undefined) {
      throw new CommandError('IllegalOperation', "You can't convertToCapped a sharded collection");
    }
    const [answer] = await askAll(call, [await primaryTarget(call.router, call.op, route)]);
    return onlyReply(answer, namespace);
  });
}

export const runCreateIndexes = (call: Call): Promise<ReplyBody> => runOnOwners(call, true);

/** A sharded collection goes from the metadata first, which only the config server can do. */
export function runDrop(call: Call): Promise<ReplyBody> {
  const { router, op } = call;
  const namespace = namespaceOf(call);
  return withRoute(router, op, namespace, async (route) => {
    if (route === undefined) return {};
    if (route.sharded === undefined) {
      const [answer] = await askAll(call, await ownersOf(call, route));
      return onlyReply(answer, namespace);
    }
    await router.shards.config.command(
      documentOf({ _configsvrDropCollection: namespace, $db: 'admin' }),
      op,
    );
    router.routing.collectionIsStale(namespace);
    return { ns: namespace };
  });
}

export async function runDropDatabase(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const { database } = body;
  if ((await router.routing.database(database, op)) === undefined) return {};
  const reply = await router.shards.config.command(
    documentOf({ _configsvrDropDatabase: database, $db: 'admin' }),
    op,
  );
  router.routing.forget(database);
  return passedOn(reply);
}

/** What is not sharded keeps its shard. */
export function runRenameCollection(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const from = body.target.typeName === 'string' ? body.target.asString() : '';
  const to = body.string('to');
  op.namespace = from;
  return withRoute(router, op, from, async (route) => {
    if (route === undefined) {
      throw new CommandError('NamespaceNotFound', `Source collection ${from} does not exist`);
    }
    const target = await router.routing.collection(to, op);
    if (route.sharded !== undefined) return renameSharded(call, from, to);
    if (target !== undefined) await dropShardedTarget(call, to);
    if (databaseOf(from) !== databaseOf(to)) {
      const other = await router.routing.createDatabase(databaseOf(to), op);
      if (other.primary !== route.database.primary) {
        throw new CommandError(
          'CommandFailed',
          'Source and destination collections must be on same shard',
        );
      }
    }
    const [answer] = await askAll(call, [await primaryTarget(router, op, route)]);
    return onlyReply(answer, from);
  });
}

/** The config server does it: chunks keep their places, and every shard follows. */
async function renameSharded(
  { router, op, body }: Call,
  from: string,
  to: string,
): Promise<ReplyBody> {
  body.refuse('stayTemp', 'collectionUUID');
  const dropTarget = body.safeBoolean('dropTarget', false);
  try {
    await router.shards.config.command(
      documentOf({ _configsvrRenameCollection: from, to, dropTarget, $db: 'admin' }),
      op,
    );
  } finally {
    router.routing.collectionIsStale(from);
    router.routing.collectionIsStale(to);
  }
  return {};
}

/** What is not sharded takes the place of what is. */
async function dropShardedTarget({ router, op, body }: Call, to: string): Promise<void> {
  if (!body.safeBoolean('dropTarget', false)) {
    throw new CommandError('NamespaceExists', 'target namespace exists');
  }
  await router.shards.config.command(
    documentOf({ _configsvrDropCollection: to, $db: 'admin' }),
    op,
  );
  router.routing.collectionIsStale(to);
}

export function runListCollections(call: Call): Promise<ReplyBody> {
  const { body } = call;
  return listed(call, `${body.database}.$cmd.listCollections`, body.database, (route) =>
    primaryOf(call, route),
  );
}

/** Every shard that has a part of the collection has its indexes: the first of them tells. */
export function runListIndexes(call: Call): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return listed(call, namespace, namespace, async (route) => {
    const [first] = await ownersOf(call, route);
    if (first === undefined) throw noDatabase(namespace);
    return first;
  });
}

function listed(
  call: Call,
  shownNamespace: string,
  namespace: string,
  targetOf: (route: CollectionRoute) => Promise<ShardTarget>,
): Promise<ReplyBody> {
  const { router, op, body } = call;
  const options = body.document('cursor', undefined) ?? EMPTY_DOCUMENT;
  const batchSize = nestedBody('cursor', options, body).limit('batchSize');
  return withRoute(router, op, namespace, async (route) => {
    if (route === undefined) {
      if (namespace.includes('.')) throw notFound(namespace);
      return firstBatch(op, { namespace: shownNamespace, producer: new DocumentListProducer([]) });
    }
    const target = await targetOf(route);
    const { cursors } = await openCursors(
      op,
      [target],
      ({ versions }) => shardRequest(op, body.bytes, { versions }),
      { batchSize },
    );
    return firstBatch(op, {
      namespace: cursors[0]?.namespace ?? shownNamespace,
      producer: new MergedCursor(cursors, {}, op),
      batchSize: batchSize ?? Infinity,
    });
  });
}

/** Sizes and counts of all parts of a collection together. */
const SUMMED: ReadonlySet<string> = new Set([
  'size',
  'count',
  'numOrphanDocs',
  'storageSize',
  'totalIndexSize',
  'totalSize',
  'freeStorageSize',
  'numObjects',
]);

export function runCollStats(call: Call): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return withRoute(call.router, call.op, namespace, async (route) => {
    if (route === undefined) return { ns: namespace, size: 0, count: 0, numOrphanDocs: 0 };
    const answers = await askAll(call, await ownersOf(call, route), { isRepeatable: true });
    const [first] = answers;
    if (first === undefined) return { ns: namespace };
    return (out: DocumentBuilder): void => {
      out.appendBoolean('sharded', route.sharded !== undefined);
      if (route.sharded === undefined) out.appendString('primary', first.shard.name);
      appendSums(out, answers);
      out.beginDocument('shards');
      for (const { shard, reply } of answers) out.appendDocument(shard.name, reply);
      out.end();
    };
  });
}

function appendSums(out: DocumentBuilder, answers: readonly ShardAnswer[]): void {
  const [first] = answers;
  if (first === undefined) return;
  let average: number | undefined;
  for (const [name, value] of fieldsOf(first.reply)) {
    if (name === 'ok' || name === 'shardName') continue;
    if (name === 'indexSizes') {
      out.beginDocument(name);
      for (const [index] of fieldsOf(value.asDocument())) {
        const sum = answers.reduce((total, { reply }) => {
          const sizes = getField(reply, name);
          return total + (sizes === undefined ? 0 : numberIn(sizes.asDocument(), index));
        }, 0);
        out.appendInteger(index, sum);
      }
      out.end();
    } else if (name === 'avgObjSize') average = averageSize(answers);
    else if (SUMMED.has(name)) out.appendInteger(name, sumOf(answers, name));
    else out.append(name, value);
    if (name === 'avgObjSize' && average !== undefined) out.appendInteger(name, average);
  }
}

function averageSize(answers: readonly ShardAnswer[]): number {
  const count = sumOf(answers, 'count');
  return count === 0 ? 0 : Math.floor(sumOf(answers, 'size') / count);
}

export function sumOf(answers: readonly ShardAnswer[], name: string): number {
  return answers.reduce((total, { reply }) => total + numberIn(reply, name), 0);
}

/** validate: sound when all parts are. */
export function runValidate(call: Call): Promise<ReplyBody> {
  const namespace = namespaceOf(call);
  return askOwners(call, namespace).then((answers) => {
    if (answers === undefined) throw notFound(namespace);
    const [first, ...others] = answers;
    if (others.length === 0) return onlyReply(first, namespace);
    const valid = answers.every(({ reply }) => getField(reply, 'valid')?.isTruthy() === true);
    return (out: DocumentBuilder): void => {
      out.append('ns', stringValue(namespace)).append('valid', booleanValue(valid));
      out.beginDocument('raw');
      for (const { shard, reply } of answers) out.appendDocument(shard.host, reply);
      out.end();
    };
  });
}

export function runDataSize(call: Call): Promise<ReplyBody> {
  const { body } = call;
  const namespace = body.target.typeName === 'string' ? body.target.asString() : '';
  return askOwners(call, namespace, { isRepeatable: true }).then((answers = []) => ({
    estimate: answers.some(({ reply }) => getField(reply, 'estimate')?.isTruthy() === true),
    size: sumOf(answers, 'size'),
    numObjects: sumOf(answers, 'numObjects'),
    millis: Math.max(0, ...answers.map(({ reply }) => numberIn(reply, 'millis'))),
    maxReached: false,
  }));
}

function onlyReply(answer: ShardAnswer | undefined, namespace: string): ReplyBody {
  if (answer === undefined) throw noDatabase(namespace);
  return passedOn(answer.reply);
}

function noDatabase(namespace: string): CommandError {
  return new CommandError('NamespaceNotFound', `database ${databaseOf(namespace)} not found`);
}

function notFound(namespace: string): CommandError {
  return new CommandError('NamespaceNotFound', `ns does not exist: ${namespace}`);
}
