/**
 * findAndModify through the router: on the shard of its key, or of the document that a search finds first.
 */
import {
  booleanValue,
  DocumentBuilder,
  documentValue,
  getField,
  type RawValue,
} from '../../bson/index.ts';
import { compileProjection } from '../../query/index.ts';
import {
  checkWritable,
  parseFindAndModify,
  queryContext,
  type FindAndModifyRequest,
  type ReplyBody,
} from '../../server/cluster.ts';
import { withRoute, type CollectionRoute } from '../routing/collection-route.ts';
import { targetsOf } from '../targeting/targets.ts';
import {
  compileUpdate,
  findDocument,
  insertWhereItBelongs,
  upsertedDocument,
  type ShardedRoute,
  type UpdateParts,
} from '../writes/one-document.ts';
import { documentIn } from '../writes/statement.ts';
import { keepsKey } from '../writes/upsert-key.ts';
import { numberIn } from '../writes/write-outcome.ts';
import { askAll } from './ask-shards.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';

export function runFindAndModify(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const request = parseFindAndModify(body);
  body.rejectUnknownFields();
  op.namespace = request.namespace;
  checkWritable(request.namespace);
  return withRoute(router, op, request.namespace, (route) => modifyOnce(call, request, route), {
    create: request.upsert,
  });
}

async function modifyOnce(
  call: Call,
  request: FindAndModifyRequest,
  route: CollectionRoute | undefined,
): Promise<ReplyBody> {
  if (route === undefined) return nothingFound(request);
  const { router, op } = call;
  const { targets, key } = await targetsOf(router, op, route, request.filter, request.collation);
  const { sharded } = route;
  const { filter, upsert } = request;
  const update = getField(call.body.bytes, 'update');
  const isInserted =
    sharded !== undefined &&
    key !== undefined &&
    keepsKey({ update, filter, pattern: sharded.entry.pattern, key });
  const isPlaced = targets.length === 1 && (!upsert || isInserted);
  if (sharded === undefined || isPlaced) {
    const [answer] = await askAll(call, targets);
    return answer === undefined ? nothingFound(request) : passedOn(answer.reply);
  }
  return searchAndModify(call, request, { ...route, sharded });
}

/** @throws a stale route's error only before anything has been done */
async function searchAndModify(
  call: Call,
  request: FindAndModifyRequest,
  route: ShardedRoute,
): Promise<ReplyBody> {
  const { router, op, body } = call;
  for (;;) {
    const found = await findDocument(router, op, route, {
      filter: request.filter,
      collation: request.collation,
      sort: request.sort,
      hint: getField(body.bytes, 'hint'),
      variables: getField(body.bytes, 'let'),
    });
    if (found === undefined) {
      if (request.upsert) return insertAndReturn(call, request, route);
      const parts = updateIn(call, request, route);
      if (parts !== undefined) compileUpdate(op, parts, false);
      return nothingFound(request);
    }
    const [answer] = await askAll(call, [found.target], {
      set: {
        query: documentValue(found.filter),
        sort: undefined,
        upsert: booleanValue(false),
      },
    });
    const done = answer && documentIn(answer.reply, 'lastErrorObject');
    if (answer !== undefined && done !== undefined && numberIn(done, 'n') > 0) {
      return passedOn(answer.reply);
    }
    await op.yield();
  }
}

/** undefined: it removes. */
function updateIn(
  { body }: Call,
  { filter, arrayFilters, variables, collation }: FindAndModifyRequest,
  { sharded }: ShardedRoute,
): UpdateParts | undefined {
  const update = getField(body.bytes, 'update');
  if (update === undefined) return undefined;
  return {
    update,
    filter,
    multi: false,
    arrayFilters,
    constants: undefined,
    collation: collation ?? sharded.entry.defaultCollation,
    variables,
  };
}

async function insertAndReturn(
  call: Call,
  request: FindAndModifyRequest,
  route: ShardedRoute,
): Promise<ReplyBody> {
  const { router, op, body } = call;
  const parts = updateIn(call, request, route);
  if (parts === undefined) return nothingFound(request);
  const document = upsertedDocument(op, parts);
  await insertWhereItBelongs(router, op, route, document, body.bytes);
  const shown = request.returnNew ? projected(document, request, op) : undefined;
  return (out: DocumentBuilder): void => {
    out.beginDocument('lastErrorObject').appendInt32('n', 1);
    out.appendBoolean('updatedExisting', false);
    const id: RawValue | undefined = getField(document, '_id');
    if (id !== undefined) out.append('upserted', id);
    out.end();
    if (shown === undefined) out.appendNull('value');
    else out.appendDocument('value', shown);
  };
}

function projected(
  document: Buffer,
  { fields, collation }: FindAndModifyRequest,
  op: Call['op'],
): Buffer {
  if (fields === undefined) return document;
  const context = queryContext(op, { collation });
  return compileProjection(fields, { context }).apply(document);
}

function nothingFound({ remove }: FindAndModifyRequest): ReplyBody {
  return {
    lastErrorObject: remove ? { n: 0 } : { n: 0, updatedExisting: false },
    value: null,
  };
}
