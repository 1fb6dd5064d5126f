/**
 * planCacheSetFilter, planCacheListFilters, planCacheClearFilters: which indexes the planner may use for one shape of query.
 * Source: MongoDB's manual, "planCacheSetFilter"; filters live as long as the server.
 */
import { BsonType, isEmpty, stringValue, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { IndexFilter } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import {
  cachedQueryOf,
  checkHasQuery,
  parsePlanCacheQuery,
  shapeOfQuery,
  showQuery,
} from './plan-cache-shape.ts';

export const planCacheSetFilter = defineCommand({
  name: 'planCacheSetFilter',
  help: 'Sets the indexes that queries of one shape may use.',
  kind: 'admin',
  access: { action: 'planCacheIndexFilter', on: 'collection' },
  route: 'allShards',
  parse(body) {
    const query = parsePlanCacheQuery(body);
    uassert(query.query !== undefined, 'BadValue', "required field 'query' missing");
    return { query, indexes: indexesIn(body) };
  },
  execute({ query, indexes }, op) {
    const collection = op.view().collection(query.namespace);
    uassert(collection !== undefined, 'BadValue', 'no such collection');
    const shape = shapeOfQuery(op, collection, query);
    const filter = { query: cachedQueryOf(query), indexes };
    op.service.planner.planCaches.of(collection).setFilter(shape, filter);
  },
  reply: () => ({}),
});

export const planCacheListFilters = defineCommand({
  name: 'planCacheListFilters',
  help: 'Lists the index filters of a collection.',
  kind: 'admin',
  access: { action: 'planCacheIndexFilter', on: 'collection' },
  route: 'allShards',
  parse: (body) => ({ namespace: body.collection() }),
  execute({ namespace }, op): readonly IndexFilter[] {
    const collection = op.view().collection(namespace);
    if (collection === undefined) return [];
    return [...(op.service.planner.planCaches.peek(collection)?.filters() ?? [])];
  },
  reply: (filters) => ({ filters: filters.map(showFilter) }),
});

export const planCacheClearFilters = defineCommand({
  name: 'planCacheClearFilters',
  help: 'Removes index filters of a collection.',
  kind: 'admin',
  access: { action: 'planCacheIndexFilter', on: 'collection' },
  route: 'allShards',
  parse: parsePlanCacheQuery,
  execute(request, op) {
    checkHasQuery(request);
    const collection = op.view().collection(request.namespace);
    if (collection === undefined) return;
    const shape = request.query === undefined ? undefined : shapeOfQuery(op, collection, request);
    op.service.planner.planCaches.peek(collection)?.clearFilters(shape);
  },
  reply: () => ({}),
});

function indexesIn(body: CommandBody): readonly (string | Buffer)[] {
  const value = body.value('indexes');
  uassert(value !== undefined, 'BadValue', "required field 'indexes' missing");
  if (value.type !== BsonType.array) {
    throw new CommandError('BadValue', "required field 'indexes' must be an array");
  }
  const indexes = body.array('indexes').map(indexOf);
  uassert(
    indexes.length > 0,
    'BadValue',
    "required field 'indexes' must contain at least one index",
  );
  return indexes;
}

function indexOf(value: RawValue): string | Buffer {
  if (value.type === BsonType.string) return value.asString();
  if (value.type !== BsonType.object) {
    throw new CommandError('BadValue', "each item in 'indexes' must be an object or string");
  }
  uassert(!isEmpty(value.asDocument()), 'BadValue', 'index specification cannot be empty');
  return Buffer.from(value.asDocument());
}

function showFilter({ query, indexes }: IndexFilter): ReplyFields {
  return {
    ...showQuery(query),
    indexes: indexes.map((index) => (typeof index === 'string' ? stringValue(index) : index)),
  };
}
