/**
 * Makes the running stages of a plan.
 */
import { fieldsOf } from '../../bson/index.ts';
import type { CountNode, PlanNode } from '../planner/plan-node.ts';
import { CollectionScan } from './collscan.ts';
import { ExplainedWrite } from './explained-write.ts';
import { Fetch } from './fetch.ts';
import { IndexScan } from './ixscan.ts';
import { Limit, Skip } from './limit-skip.ts';
import { nearStage } from './near.ts';
import { Or } from './or.ts';
import { CoveredProject, Project, ReturnKey, ShowRecordId } from './projection.ts';
import { SortMerge } from './sort-merge.ts';
import { Sort } from './sort.ts';
import type { ExecutionContext, Stage } from './stage.ts';
import { TextMatch, TextOr } from './text.ts';

/** @param onStage is told of each stage and its node, and may put another in its place, for explain. */
export function buildStage(
  node: PlanNode,
  context: ExecutionContext,
  onStage: OnStage = (_, stage) => stage,
): Stage {
  return onStage(node, makeStage(node, context, onStage));
}

export type OnStage = (node: PlanNode, stage: Stage) => Stage;

function makeStage(node: PlanNode, context: ExecutionContext, onStage: OnStage): Stage {
  const below = (input: PlanNode): Stage => buildStage(input, context, onStage);
  switch (node.stage) {
    case 'EOF':
    case 'RECORD_STORE_FAST_COUNT':
      return new Or(context, []);
    case 'COUNT':
      return countOf(context, below(node.input), node);
    case 'COUNT_SCAN':
      return new IndexScan(context, node.scan);
    case 'COLLSCAN':
      return new CollectionScan(context, node.filter, node.direction);
    case 'IXSCAN':
      return new IndexScan(context, node);
    case 'EXPRESS_IXSCAN':
      return new Fetch(context, new IndexScan(context, node.scan), { whole: node.filter });
    case 'FETCH':
      return new Fetch(context, below(node.input), node);
    case 'OR':
      return new Or(context, node.inputs.map(below));
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
      return new Sort(context, below(node.input), node);
    case 'SKIP':
      return new Skip(context.yielder, below(node.input), node.skip);
    case 'LIMIT':
      return new Limit(below(node.input), node.limit);
    case 'PROJECTION_COVERED':
      return new CoveredProject(context, below(node.input), node.projection);
    case 'PROJECTION_DEFAULT':
    case 'PROJECTION_SIMPLE':
      return new Project(context, below(node.input), node.projection, node.filter);
    case 'RETURN_KEY':
      return new ReturnKey(context, below(node.input));
    case 'UPDATE':
    case 'DELETE':
    case 'BATCHED_DELETE':
      return new ExplainedWrite(context, below(node.input), node);
    case 'SHOW_RECORD_ID':
      return new ShowRecordId(context, below(node.input));
  }
}

/** A count is the number of rows that come out. */
function countOf(context: ExecutionContext, input: Stage, { skip, limit }: CountNode): Stage {
  const rest = skip > 0 ? new Skip(context.yielder, input, skip) : input;
  return new Limit(rest, limit > 0 ? limit : Infinity);
}
