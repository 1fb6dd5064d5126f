/**
 * A plan as data: what the planner builds, the executor runs and explain shows.
 */
import type { Ownership } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import type { NearQuery } from '../matcher/geo/near-query.ts';
import type { Projection } from '../projection/projection.ts';
import type { SortOrder } from '../executor/sorter.ts';
import type { IndexDescription, KeyRange } from '../../storage/index.ts';
import type { TextIndex } from '../text/text-index.ts';
import type { TextQuery } from '../text/text-query.ts';
import type { Interval } from './interval.ts';
import type { KeyBounds } from './key-bounds.ts';

export interface EofNode {
  readonly stage: 'EOF';
}

/** The number of records, from the catalog. */
export interface FastCountNode {
  readonly stage: 'RECORD_STORE_FAST_COUNT';
}

/** Counts what its input gives. */
export interface CountNode {
  readonly stage: 'COUNT';
  readonly input: PlanNode;
  readonly skip: number;
  /** 0: none. */
  readonly limit: number;
}

/** Counts the entries of one range: nobody looks at them. */
export interface CountScanNode {
  readonly stage: 'COUNT_SCAN';
  readonly scan: IxscanNode;
}

export interface CollscanNode {
  readonly stage: 'COLLSCAN';
  readonly filter: Filter | undefined;
  readonly direction: 1 | -1;
  /** It waits at the end of a capped collection, and goes on when something is added. */
  readonly tailable?: boolean;
}

/** A part of a clustered collection, which is in the order of its _id. */
export interface ClusteredScanNode {
  readonly stage: 'CLUSTERED_IXSCAN';
  readonly scan: IxscanNode;
  readonly filter: Filter | undefined;
}

export interface IxscanNode {
  readonly stage: 'IXSCAN';
  readonly index: IndexDescription;
  /** Allowed values of each field of the index. */
  readonly bounds: readonly (readonly Interval[])[];
  /** The same as ranges of encoded keys, in the order of the walk. */
  readonly ranges: readonly KeyRange[];
  readonly direction: 1 | -1;
  /** Bounds that the ranges leave open; undefined when they say it all. */
  readonly keyBounds: KeyBounds | undefined;
  /** Without a FETCH above: the condition, for entries whose key was cut. Their documents are read to decide. */
  readonly whole?: Filter;
  /** The order that is wanted of the scan: entries whose keys were cut have to be put into it. */
  readonly order?: SortOrder;
}

/** The first entry of each combination of values up to one field. */
export interface DistinctScanNode {
  readonly stage: 'DISTINCT_SCAN';
  readonly scan: IxscanNode;
  /** Of the field in the index. */
  readonly position: number;
}

export interface FetchNode {
  readonly stage: 'FETCH';
  readonly input: PlanNode;
  readonly residual: Filter | undefined;
  readonly whole: Filter | undefined;
}

export interface OrNode {
  readonly stage: 'OR';
  readonly inputs: readonly PlanNode[];
}

/** The records that two scans have in common. */
export interface IntersectionNode {
  /** Sorted: both scans come in order of record id, because the bounds of each are one key. */
  readonly stage: 'AND_HASH' | 'AND_SORTED';
  readonly inputs: readonly [IxscanNode, IxscanNode];
  /** Without a FETCH above: the condition, for entries whose keys do not decide it. */
  readonly whole?: Filter | undefined;
}

/** Joins inputs that are in order each to one order. */
export interface SortMergeNode {
  readonly stage: 'SORT_MERGE';
  readonly inputs: readonly PlanNode[];
  readonly pattern: Buffer;
  readonly order: SortOrder;
}

export interface SortNode {
  readonly stage: 'SORT';
  readonly input: PlanNode;
  readonly pattern: Buffer;
  readonly order: SortOrder;
  /** 0: all rows. */
  readonly limit: number;
  /** Its rows are entries of an index: the documents of which this much is wanted are made of them. */
  readonly covering?: Pick<ProjectionNode, 'projection' | 'filter'>;
}

/** Lets documents pass that this shard answers for. */
export interface ShardingFilterNode {
  readonly stage: 'SHARDING_FILTER';
  readonly input: PlanNode;
  readonly ownership: Ownership;
}

export interface SkipNode {
  readonly stage: 'SKIP';
  readonly input: PlanNode;
  readonly skip: number;
}

export interface LimitNode {
  readonly stage: 'LIMIT';
  readonly input: PlanNode;
  readonly limit: number;
}

export interface ProjectionNode {
  readonly stage: 'PROJECTION_DEFAULT' | 'PROJECTION_SIMPLE' | 'PROJECTION_COVERED';
  readonly input: PlanNode;
  readonly spec: Buffer;
  readonly projection: Projection;
  /** The query's filter, when the projection asks for the position of its match. */
  readonly filter: Filter | undefined;
  /** What {$meta: 'sortKey'} shows where no SORT below has left it: an index gave the order. */
  readonly sortKeys?: SortOrder;
  /** Of the covered kind: a SORT below has made documents of the entries already. */
  readonly isSorted?: boolean;
}

export interface ReturnKeyNode {
  readonly stage: 'RETURN_KEY';
  readonly input: PlanNode;
}

export interface RecordIdNode {
  readonly stage: 'SHOW_RECORD_ID';
  readonly input: PlanNode;
}

/** Gives documents what only their rows know (record id, index key, sort key), for stages of a pipeline. explain does not show it. */
export interface MetadataNode {
  readonly stage: 'METADATA';
  readonly input: PlanNode;
  /** As a projection has them. */
  readonly sortKeys?: SortOrder;
}

/** Checks what the terms of a $text condition do not tell. */
export interface TextMatchNode {
  readonly stage: 'TEXT_MATCH';
  readonly input: PlanNode;
  readonly index: IndexDescription;
  readonly query: TextQuery;
  /** Values of the fields in front of the text. */
  readonly prefix: Buffer;
  readonly matches: (document: Buffer) => boolean;
  /** For entries whose key was cut: whether the document has one of the terms at all. */
  readonly holdsTerm: (document: Buffer) => boolean;
}

/** Sums up scores of terms. */
export interface TextOrNode {
  readonly stage: 'TEXT_OR';
  readonly inputs: readonly IxscanNode[];
  readonly index: IndexDescription;
  readonly text: TextIndex;
  readonly terms: ReadonlySet<string>;
  /** The field of the key that holds a score. */
  readonly scorePosition: number;
  /** The other conditions; `whole` with those that the key's fields decide. */
  readonly filter: Filter | undefined;
  readonly whole: Filter | undefined;
}

/** Documents by their distance from a point. */
export interface NearNode {
  readonly stage: 'GEO_NEAR_2DSPHERE' | 'GEO_NEAR_2D';
  readonly index: IndexDescription;
  readonly near: NearQuery;
  /** The field of the index that the search goes along; its bounds are all values. */
  readonly geoPosition: number;
  readonly bounds: readonly (readonly Interval[])[];
  /** The other conditions. */
  readonly filter: Filter | undefined;
  /** Documents come out with their distance and point. */
  readonly wantsMetadata: boolean;
}

/** One document by the value of a unique index's only field. */
export interface ExpressNode {
  readonly stage: 'EXPRESS_IXSCAN' | 'EXPRESS_CLUSTERED_IXSCAN';
  readonly scan: IxscanNode;
  readonly filter: Filter;
}

/** A write under explain: it changes nothing. */
export interface ExplainedWriteNode {
  readonly stage: 'UPDATE' | 'DELETE' | 'BATCHED_DELETE';
  readonly input: PlanNode;
  readonly multi: boolean;
  /** Whether the write would change this document. */
  readonly changes: (document: Buffer) => boolean;
  /** Where nothing matches, a document is inserted. */
  readonly upsert: boolean;
}

export type PlanNode =
  | EofNode
  | FastCountNode
  | CountNode
  | CountScanNode
  | CollscanNode
  | ClusteredScanNode
  | IxscanNode
  | DistinctScanNode
  | FetchNode
  | OrNode
  | IntersectionNode
  | SortMergeNode
  | SortNode
  | ShardingFilterNode
  | SkipNode
  | LimitNode
  | ProjectionNode
  | ReturnKeyNode
  | RecordIdNode
  | MetadataNode
  | TextMatchNode
  | TextOrNode
  | NearNode
  | ExpressNode
  | ExplainedWriteNode;

/** The nodes directly below. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  if ('inputs' in node) return node.inputs;
  return 'input' in node ? [node.input] : [];
}
