/**
 * planCacheClear: forgets the cached plans of a collection, or those of one shape of query.
 * Source: MongoDB's manual, "planCacheClear".
 */
import { defineCommand } from '../../command/define-command.ts';
import { checkHasQuery, parsePlanCacheQuery, shapeOfQuery } from './plan-cache-shape.ts';

export const planCacheClear = defineCommand({
  name: 'planCacheClear',
  help: 'Removes cached query plans of a collection.',
  kind: 'admin',
  access: { action: 'planCacheWrite', on: 'collection' },
  route: 'allShards',
  parse: parsePlanCacheQuery,
  execute(request, op) {
    checkHasQuery(request);
    const collection = op.view().collection(request.namespace);
    // A collection that is not there has no plans.
    if (collection === undefined) return;
    const cache = op.service.planner.planCaches.peek(collection);
    cache?.clear(request.query === undefined ? undefined : shapeOfQuery(op, collection, request));
  },
  reply: () => ({}),
});
