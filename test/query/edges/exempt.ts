/**
 * Edges that have no meaning for an operator, and why. A reason for an edge that has a case is refused.
 */
import { type Edge, EDGES } from './edge.ts';

export interface Exemption {
  readonly operators: readonly string[];
  readonly edges: readonly Edge[];
  readonly reason: string;
}

const ALL = EDGES;
const OF_MAP_REDUCE = 'only mapReduce says it; clients are refused (map-reduce.test.ts)';

export const EXEMPT: Readonly<Record<string, readonly Exemption[]>> = {
  expressions: [
    {
      operators: ['$literal', '$const', '$meta', '$rand'],
      edges: ['missing'],
      reason: 'reads no field of a document: its argument is written, or nothing',
    },
    { operators: ['$_internalJsEmit'], edges: ALL, reason: OF_MAP_REDUCE },
  ],
  'projection operators': [
    {
      operators: ['$meta'],
      edges: ['missing'],
      reason: 'reads no field of a document: its argument is a word',
    },
  ],
  accumulators: [{ operators: ['$_internalJsReduce'], edges: ALL, reason: OF_MAP_REDUCE }],
  'window operators': [{ operators: ['$_internalJsReduce'], edges: ALL, reason: OF_MAP_REDUCE }],
  stages: [
    {
      operators: [
        '$changeStream',
        '$collStats',
        '$currentOp',
        '$documents',
        '$indexStats',
        '$listCatalog',
        '$listLocalSessions',
        '$listSampledQueries',
        '$listSearchIndexes',
        '$listSessions',
        '$planCacheStats',
        '$querySettings',
        '$queryStats',
        '$search',
        '$searchMeta',
        '$shardedDataDistribution',
        '$vectorSearch',
      ],
      edges: ['missing'],
      reason: 'brings documents and reads none: it has nothing but its argument',
    },
    {
      operators: ['$mergeCursors'],
      edges: ALL,
      reason: 'only a router makes one, of what shards answer: test/router',
    },
    {
      operators: ['$_internalUnpackBucket'],
      edges: ['missing'],
      reason: 'reads buckets, which only the server writes: a bucket always has its fields',
    },
  ],
};
