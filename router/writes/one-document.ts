/**
 * An update or a delete of one document whose filter does not say on which shard it is.
 *
 * Two steps: the shards are asked for a document that matches, and the shard of one of them gets the write, bound to that document. When
 * it has changed meanwhile so that nothing is done, the search begins anew. Promises: one shard gets a write, and a write that may have
 * been done is not sent again: at most one document changes.
 */
import {
  booleanValue,
  ArrayBuilder,
  arrayValue,
  documentOf,
  documentValue,
  DocumentBuilder,
  fieldsOf,
  getField,
  isEmpty,
  setField,
  unsetField,
  type RawValue,
  withIdFirst,
  objectIdValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { compileCollation } from '../../query/index.ts';
import {
  compileStatementUpdate,
  queryContext,
  type OperationContext,
} from '../../server/cluster.ts';
import { appendLimits, appendVersions, shardRequest } from '../commands/shard-request.ts';
import { MergedCursor } from '../merge/merged-cursor.ts';
import { openCursors } from '../merge/open-cursors.ts';
import { nearMerge, sortedMerge } from '../merge/sort-order.ts';
import { collectionOf, databaseOf } from '../network/read-all.ts';
import {
  shardTarget,
  type CollectionRoute,
  type ShardTarget,
} from '../routing/collection-route.ts';
import type { ShardedCollection } from '../routing/routing-cache.ts';
import type { Router } from '../router.ts';
import { shardNamesOf } from '../targeting/targets.ts';
import { ARRAY_OF, documentIn, type Statement } from './statement.ts';
import { numberIn, writeErrorsOf } from './write-outcome.ts';
import type { WriteScope } from './write-batch.ts';

export interface ShardedRoute extends CollectionRoute {
  readonly sharded: ShardedCollection;
}

/** What a search looks for. */
export interface OneDocumentSearch {
  readonly filter: Buffer;
  readonly collation: Buffer | undefined;
  readonly sort?: Buffer | undefined;
  readonly hint?: RawValue | undefined;
  /** The command's `let`. */
  readonly variables?: RawValue | undefined;
}

/** A document that matched a moment ago, and where it is. */
export interface FoundDocument {
  readonly target: ShardTarget;
  /** The filter of the search, and that it is this document. */
  readonly filter: Buffer;
}

/** @throws CommandError, a stale route's among them: then nothing has been done */
export async function writeToOne(
  scope: WriteScope,
  route: ShardedRoute,
  statement: Statement,
): Promise<void> {
  const { router, op, batch, outcome } = scope;
  const { raw } = statement;
  for (;;) {
    const found = await findDocument(router, op, route, {
      filter: statement.filter,
      collation: statement.collation,
      sort: documentIn(raw, 'sort'),
      hint: getField(raw, 'hint'),
      variables: getField(batch.command, 'let'),
    });
    if (found === undefined) {
      if (statement.upsert) await insertUpserted(scope, route, statement);
      else if (batch.kind === 'update') compileUpdate(op, partsOf(scope, route, statement), false);
      return;
    }
    const bound = withoutFields(setField(raw, 'q', documentValue(found.filter)), [
      'upsert',
      'sort',
    ]);
    const reply = await sendOne(scope, found.target, bound);
    if (numberIn(reply, 'n') > 0) {
      outcome.addCounts(reply, [statement]);
      return;
    }
    // Somebody else was faster: perhaps another document matches.
    await op.yield();
  }
}

/** The document to write to, of those that match: the first in the order of the sort, or any. */
export async function findDocument(
  router: Router,
  op: OperationContext,
  route: ShardedRoute,
  search: OneDocumentSearch,
): Promise<FoundDocument | undefined> {
  const { sharded, namespace } = route;
  const { names } = shardNamesOf(sharded, search.filter, search.collation);
  const targets = await Promise.all(names.map((name) => shardTarget(router, op, sharded, name)));
  const key = sharded.entry.pattern;
  const shown = new DocumentBuilder().appendInt32('_id', 1);
  for (const { path } of key.fields) {
    if (!/^_id(\.|$)/.test(path.text)) shown.appendInt32(path.text, 1);
  }
  const projection = shown.finish();
  const collation = search.collation ?? sharded.entry.defaultCollation;
  const sort = search.sort === undefined || isEmpty(search.sort) ? undefined : search.sort;
  const collator =
    collation === undefined || isEmpty(collation) ? undefined : compileCollation(collation);
  const merge =
    sort === undefined
      ? nearMerge(search.filter, projection)
      : sortedMerge(sort, projection, collator);
  const { cursors } = await openCursors(op, targets, ({ versions }) => {
    const out = new DocumentBuilder(256);
    out.appendString('find', collectionOf(namespace)).appendDocument('filter', search.filter);
    if (sort !== undefined) out.appendDocument('sort', sort);
    out.appendDocument('projection', merge?.projection ?? projection);
    if (search.hint !== undefined) out.append('hint', search.hint);
    if (search.collation !== undefined) out.appendDocument('collation', search.collation);
    if (search.variables !== undefined) out.append('let', search.variables);
    out.appendInt32('limit', 1).appendBoolean('singleBatch', true);
    out.appendString('$db', databaseOf(namespace));
    appendLimits(out, op);
    appendVersions(out, versions);
    return out.finish();
  });
  const merged = new MergedCursor(
    cursors,
    { order: merge?.order, finish: merge?.finish, limit: 1 },
    op,
  );
  const document = await merged.next();
  merged.close();
  if (document === undefined) return undefined;
  const { shard } = sharded.chunks.chunkOf(key.keyOf(document).text);
  const id = getField(document, '_id');
  tassert(id !== undefined, 'a stored document has no _id');
  return {
    target: await shardTarget(router, op, sharded, shard),
    filter: boundTo(search.filter, id),
  };
}

/** _id tells documents of one shard apart. At the top, because some operators may not stand inside an $and. */
function boundTo(filter: Buffer, id: RawValue): Buffer {
  const equal = documentOf({ $eq: id });
  if (getField(filter, '_id') === undefined) {
    return setField(filter, '_id', documentValue(equal));
  }
  const both = new ArrayBuilder();
  both.pushDocument(filter);
  both.pushDocument(documentOf({ _id: equal }));
  return new DocumentBuilder().append('$and', arrayValue(both.finish())).finish();
}

/** The only statement of a command. @throws its error */
async function sendOne(
  { op, batch }: WriteScope,
  { shard, versions }: ShardTarget,
  raw: Buffer,
): Promise<Buffer> {
  const name = ARRAY_OF[batch.kind];
  const body = shardRequest(op, batch.command, {
    versions,
    set: { [name]: undefined, ordered: booleanValue(true) },
  });
  const reply = await shard.command(body, op, {
    sequences: [{ identifier: name, documents: [raw] }],
  });
  const [failed] = writeErrorsOf(reply);
  if (failed !== undefined) throw failed.error;
  return reply;
}

/** The document of an upsert goes where its own key says. */
export async function insertUpserted(
  { router, op, batch, outcome }: WriteScope,
  route: ShardedRoute,
  statement: Statement,
): Promise<void> {
  const document = upsertedDocument(op, partsOf({ batch }, route, statement));
  const reply = await insertWhereItBelongs(router, op, route, document, batch.command);
  outcome.count += 1;
  const id = getField(document, '_id');
  if (id !== undefined) outcome.upserted.push({ index: statement.index, id });
  outcome.writeConcernError ??= getField(reply, 'writeConcernError')?.asDocument();
}

function partsOf(
  { batch }: Pick<WriteScope, 'batch'>,
  route: ShardedRoute,
  { raw, filter, multi, collation }: Statement,
): UpdateParts {
  const update = getField(raw, 'u');
  tassert(update !== undefined, 'an update has no change');
  return {
    update,
    filter,
    multi,
    arrayFilters: arrayFiltersOf(raw),
    constants: documentIn(raw, 'c'),
    collation: collation ?? route.sharded.entry.defaultCollation,
    variables: documentIn(batch.command, 'let'),
  };
}

export interface UpdateParts {
  readonly update: RawValue;
  readonly filter: Buffer;
  readonly multi: boolean;
  readonly arrayFilters: readonly Buffer[] | undefined;
  readonly constants: Buffer | undefined;
  readonly collation: Buffer | undefined;
  readonly variables: Buffer | undefined;
}

/** Where nothing matches no shard sees the update: what is wrong with it is found here. @throws CommandError */
export function compileUpdate(op: OperationContext, parts: UpdateParts, upsert: boolean) {
  const context = queryContext(op, { collation: parts.collation, variables: parts.variables });
  return compileStatementUpdate({ ...parts, upsert }, context);
}

/** What an upsert that matched nothing inserts, its _id included. */
export function upsertedDocument(op: OperationContext, parts: UpdateParts): Buffer {
  const document = compileUpdate(op, parts, true).upsertDocument(parts.filter);
  return getField(document, '_id') === undefined
    ? withIdFirst(document, objectIdValue(op.service.stamps.objectIds.next()))
    : withIdFirst(document);
}

/** @param command whose concerns and options the insert has. @returns the shard's reply. @throws its error */
export async function insertWhereItBelongs(
  router: Router,
  op: OperationContext,
  { sharded, namespace }: ShardedRoute,
  document: Buffer,
  command: Buffer,
): Promise<Buffer> {
  const { shard } = sharded.chunks.chunkOf(sharded.entry.pattern.keyOf(document).text);
  const target = await shardTarget(router, op, sharded, shard);
  const out = new DocumentBuilder(256);
  out.appendString('insert', collectionOf(namespace));
  for (const name of ['bypassDocumentValidation', 'writeConcern', 'comment']) {
    const value = getField(command, name);
    if (value !== undefined) out.append(name, value);
  }
  out.appendString('$db', databaseOf(namespace));
  appendLimits(out, op);
  appendVersions(out, target.versions);
  const reply = await target.shard.command(out.finish(), op, {
    sequences: [{ identifier: 'documents', documents: [document] }],
  });
  const [failed] = writeErrorsOf(reply);
  if (failed !== undefined) throw failed.error;
  return reply;
}

export function arrayFiltersOf(raw: Buffer): readonly Buffer[] | undefined {
  const value = getField(raw, 'arrayFilters');
  if (value?.typeName !== 'array') return undefined;
  return Array.from(fieldsOf(value.asDocument()), ([, each]) => each.asDocument());
}

export function withoutFields(document: Buffer, names: readonly string[]): Buffer {
  return names.reduce((left, name) => unsetField(left, name), document);
}
