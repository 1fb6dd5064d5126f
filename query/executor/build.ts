/**
 * Makes the running stages of a plan.
 */
import { fieldsOf } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { compileTree } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import { needsPreparation, splitPrepared } from '../matcher/tree.ts';
import { clusteredIndexOf, clusteredOrder, wholeClusteredScan } from '../planner/clustered-scan.ts';
import type {
  CollscanNode,
  CountNode,
  IxscanNode,
  PlanNode,
  ProjectionNode,
  SortNode,
} from '../planner/plan-node.ts';
import type { ScriptSession } from '../script/script-session.ts';
import { AndHash } from './and-hash.ts';
import { AndSorted } from './and-sorted.ts';
import { CollectionScan } from './collscan.ts';
import { CutKeyOrder } from './cut-key-order.ts';
import { DistinctScan } from './distinct-scan.ts';
import { ExplainedWrite } from './explained-write.ts';
import { Fetch } from './fetch.ts';
import { IndexScan } from './ixscan.ts';
import { Limit, Skip } from './limit-skip.ts';
import { newStatistics } from './plan-executor.ts';
import { nearStage } from './near.ts';
import { Or } from './or.ts';
import {
  AttachMetadata,
  CoveredProject,
  Project,
  projectRow,
  ReturnKey,
  ShowRecordId,
} from './projection.ts';
import { ScriptRows } from './script-rows.ts';
import { SortMerge } from './sort-merge.ts';
import { ShardingFilter } from './sharding-filter.ts';
import { Sort } from './sort.ts';
import type { Row } from './row.ts';
import type { ExecutionContext, Stage } from './stage.ts';
import { WatchedRows } from './watched-rows.ts';
import { TextMatch, TextOr } from './text.ts';

export interface BuildOptions {
  /** Is told of each stage and its node, and may put another in its place, for explain. */
  readonly onStage?: OnStage | undefined;
  /** Whoever pulls is done with a document, and keeps no value of it, when it asks for the next one. */
  readonly inPlace: boolean;
}

export function buildStage(
  node: PlanNode,
  context: ExecutionContext,
  options: BuildOptions,
): Stage {
  const stage = makeStage(node, context, options);
  return options.onStage?.(node, stage) ?? stage;
}

export type OnStage = (node: PlanNode, stage: Stage) => Stage;

/** Documents come in place to stages of which it is said here, all others may keep what they get. */
function makeStage(
  node: PlanNode,
  context: ExecutionContext,
  { onStage, inPlace }: BuildOptions,
): Stage {
  const below = (input: PlanNode): Stage => buildStage(input, context, { onStage, inPlace: false });
  /** For a stage that copies what it keeps, and gives nothing of it upwards. */
  const inPlaceBelow = (input: PlanNode): Stage =>
    buildStage(input, context, { onStage, inPlace: true });
  /** For a stage that gives rows upwards as they are, and keeps none. */
  const through = (input: PlanNode): Stage => buildStage(input, context, { onStage, inPlace });
  switch (node.stage) {
    case 'EOF':
    case 'RECORD_STORE_FAST_COUNT':
      return new Or(context, []);
    case 'COUNT':
      return countOf(context, inPlaceBelow(node.input), node);
    case 'COUNT_SCAN':
      return new IndexScan(context, node.scan);
    case 'COLLSCAN':
      return filtered(context, node.filter, (filter) =>
        collectionScan(context, { ...node, filter }, inPlace && filter === node.filter),
      );
    case 'CLUSTERED_IXSCAN':
      return filtered(context, node.filter, (filter) => clusteredScan(context, node.scan, filter));
    case 'IXSCAN':
      if (node.order === undefined) return new IndexScan(context, node);
      return new CutKeyOrder(context, new IndexScan(context, node), node.order);
    case 'EXPRESS_IXSCAN':
    case 'EXPRESS_CLUSTERED_IXSCAN':
      return new Fetch(context, new IndexScan(context, node.scan), { whole: node.filter });
    case 'DISTINCT_SCAN':
      if (node.scan.order === undefined) return new DistinctScan(context, node);
      return new CutKeyOrder(context, new DistinctScan(context, node), node.scan.order);
    case 'FETCH':
      return fetchOf(context, below(node.input), node);
    case 'OR':
      return new Or(context, node.inputs.map(below));
    case 'AND_HASH':
      return new AndHash(context, [below(node.inputs[0]), below(node.inputs[1])], node);
    case 'AND_SORTED':
      return new AndSorted(context, [below(node.inputs[0]), below(node.inputs[1])], node);
    case 'SORT_MERGE':
      return new SortMerge(context, node.inputs.map(below), {
        paths: Array.from(fieldsOf(node.pattern), ([path]) => path),
        order: node.order,
      });
    case 'TEXT_MATCH':
      return new TextMatch(context, below(node.input), node);
    case 'TEXT_OR':
      return new TextOr(context, node.inputs.map(below), node);
    case 'GEO_NEAR_2DSPHERE':
    case 'GEO_NEAR_2D':
      return nearStage(context, node);
    case 'SORT':
      return new Sort(context, rowsToSort(context, inPlaceBelow(node.input), node), node);
    case 'SHARDING_FILTER':
      return new ShardingFilter(context, through(node.input), node.ownership);
    case 'SKIP':
      return new Skip(context.yielder, through(node.input), node.skip);
    case 'LIMIT':
      return new Limit(through(node.input), node.limit);
    case 'PROJECTION_COVERED':
      if (node.isSorted === true) return new Project(context, below(node.input), node);
      return new CoveredProject(context, below(node.input), node.projection, node.filter);
    case 'PROJECTION_DEFAULT':
    case 'PROJECTION_SIMPLE':
      return projectOf(node, context, { below, inPlaceBelow });
    case 'RETURN_KEY':
      return new ReturnKey(context, below(node.input));
    case 'UPDATE':
    case 'DELETE':
    case 'BATCHED_DELETE':
      return new ExplainedWrite(context, below(node.input), node);
    case 'METADATA':
      return new AttachMetadata(context, below(node.input), node.sortKeys);
    case 'SHOW_RECORD_ID':
      return new ShowRecordId(context, below(node.input));
  }
}

/** All records, in the order that the collection has. */
function collectionScan(context: ExecutionContext, node: CollscanNode, inPlace: boolean): Stage {
  const index = clusteredIndexOf(context.collection);
  if (index === undefined) return new CollectionScan(context, node, inPlace);
  return clusteredScan(context, wholeClusteredScan(index, node.direction), node.filter);
}

/** Keys of the index that orders a collection are none that anybody examined: there is no such index in MongoDB. */
function clusteredScan(
  context: ExecutionContext,
  scan: IxscanNode,
  filter: Filter | undefined,
): Stage {
  const uncounted: ExecutionContext = {
    ...context,
    statistics: newStatistics(),
    get view() {
      return context.view;
    },
  };
  const order = clusteredOrder(scan.index, scan.direction);
  const entries = new CutKeyOrder(uncounted, new IndexScan(uncounted, scan), order);
  return new Fetch(context, entries, { residual: filter, whole: filter });
}

function rowsToSort(context: ExecutionContext, input: Stage, { covering }: SortNode): Stage {
  if (covering === undefined) return input;
  return new CoveredProject(context, input, covering.projection, covering.filter);
}

/** A count is the number of rows that come out. */
function countOf(context: ExecutionContext, input: Stage, { skip, limit }: CountNode): Stage {
  const rest = skip > 0 ? new Skip(context.yielder, input, skip) : input;
  return new Limit(rest, limit > 0 ? limit : Infinity);
}

type FetchNode = Extract<PlanNode, { stage: 'FETCH' }>;

/** A stage under its filter: what of it is JavaScript is applied by a stage of its own. */
function filtered(
  context: ExecutionContext,
  filter: Filter | undefined,
  make: (filter: Filter | undefined) => Stage,
): Stage {
  if (filter === undefined || !needsPreparation(filter.tree)) return make(filter);
  const { plain, prepared } = splitPrepared(filter.tree);
  const below = make(plain && compileTree(plain));
  return prepared === undefined ? below : preparedRows(context, below, compileTree(prepared));
}

function fetchOf(context: ExecutionContext, input: Stage, node: FetchNode): Stage {
  const { residual, whole } = node;
  // No index decides JavaScript: what the whole condition has of it, the residual one has as well.
  return filtered(context, residual ?? whole, (plainResidual) => {
    const isSplit = whole !== undefined && needsPreparation(whole.tree);
    const plain = isSplit ? splitPrepared(whole.tree).plain : undefined;
    const plainWhole = isSplit ? plain && compileTree(plain) : whole;
    return new Fetch(context, input, {
      residual: residual === undefined ? undefined : plainResidual,
      whole: plainWhole,
    });
  });
}

function preparedRows(context: ExecutionContext, below: Stage, filter: Filter): Stage {
  const { longWork } = filter;
  if (!filter.usesScripts) return new WatchedRows(context, below, { filter, longWork });
  return new ScriptRows(context, below, { session: sessionOf(context), filter });
}

interface Below {
  readonly below: (input: PlanNode) => Stage;
  readonly inPlaceBelow: (input: PlanNode) => Stage;
}

function projectOf(
  node: ProjectionNode,
  context: ExecutionContext,
  { below, inPlaceBelow }: Below,
): Stage {
  const { usesScripts, longWork } = node.projection;
  if (!usesScripts && longWork === undefined) {
    return new Project(context, inPlaceBelow(node.input), node);
  }
  const rows = below(node.input);
  const evaluate = (row: Row): void => void projectRow(row, node);
  const prepared = usesScripts
    ? new ScriptRows(context, rows, { session: sessionOf(context), evaluate })
    : new WatchedRows(context, rows, { evaluate, longWork });
  return new Project(context, prepared, node);
}

function sessionOf({ scripts }: ExecutionContext): ScriptSession {
  tassert(scripts !== undefined, 'a plan with scripts in a context without');
  return scripts;
}
