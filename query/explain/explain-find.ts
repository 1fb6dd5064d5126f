/**
 * Explain of a find, in MongoDB's shape: queryPlanner always, executionStats by running the plan.
 *
 * Owns: how each plan stage is shown. The two parts walk the same tree, so that they always agree.
 */
import {
  ArrayBuilder,
  DocumentBuilder,
  getField,
  integerValue,
  stringValue,
} from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import { StageExecutor } from '../executor/run.ts';
import type { Stage } from '../executor/stage.ts';
import type { FindPlanParts } from '../planner/find-plan-parts.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import { inputsOf, type IxscanNode, type PlanNode } from '../planner/plan-node.ts';
import { showInterval } from '../planner/interval.ts';
import type { ExplainVerbosity } from '../planner/query-plan.ts';
import { showFilter } from './show-filter.ts';

export function explainFind(
  parts: FindPlanParts,
  verbosity: ExplainVerbosity,
  view: ReadView,
  interruption: Interruption,
): MaybePromise<Buffer> {
  const builder = new DocumentBuilder();
  builder.appendString('explainVersion', '1');
  builder.appendDocument('queryPlanner', queryPlannerOf(parts));
  if (verbosity === 'queryPlanner') return builder.finish();
  return executionStatsOf(parts, verbosity, view, interruption).then((stats) => {
    builder.appendDocument('executionStats', stats);
    return builder.finish();
  });
}

/** The `queryPlanner` section. */
export function queryPlannerOf(parts: FindPlanParts): Buffer {
  const builder = new DocumentBuilder();
  builder.appendString('namespace', parts.namespace);
  builder.appendDocument('parsedQuery', showFilter(parts.filter.tree));
  builder.appendBoolean('indexFilterSet', false);
  builder.appendBoolean('maxIndexedOrSolutionsReached', false);
  builder.appendBoolean('maxIndexedAndSolutionsReached', false);
  builder.appendBoolean('maxScansToExplodeReached', false);
  builder.appendBoolean('prunedSimilarIndexes', false);
  builder.appendDocument('winningPlan', showNode(parts.winning));
  const rejected = new ArrayBuilder();
  for (const node of parts.rejected) rejected.pushDocument(showNode(node));
  builder.appendArray('rejectedPlans', rejected.finish());
  return builder.finish();
}

async function executionStatsOf(
  parts: FindPlanParts,
  verbosity: ExplainVerbosity,
  view: ReadView,
  interruption: Interruption,
): Promise<Buffer> {
  const { context, collection, winning, allowDiskUse } = parts;
  const stages = new Map<PlanNode, Stage>();
  const startMs = context.clock.monotonicMs();
  let returned = 0;
  let keysExamined = 0;
  let docsExamined = 0;
  if (collection !== undefined) {
    const executor = new StageExecutor(
      {
        node: winning,
        collection,
        context,
        allowDiskUse,
        onStage: (node, stage) => stages.set(node, stage),
      },
      view,
      interruption,
    );
    returned = await executor.countRemaining();
    ({ keysExamined, docsExamined } = executor.statistics);
    executor.close();
  }
  const builder = new DocumentBuilder();
  builder.appendBoolean('executionSuccess', true);
  builder.appendInt32('nReturned', returned);
  builder.appendInt32('executionTimeMillis', Math.round(context.clock.monotonicMs() - startMs));
  builder.appendInt32('totalKeysExamined', keysExamined);
  builder.appendInt32('totalDocsExamined', docsExamined);
  builder.appendDocument('executionStages', showNode(winning, stages));
  if (verbosity === 'allPlansExecution') {
    builder.appendArray('allPlansExecution', new ArrayBuilder().finish());
  }
  return builder.finish();
}

/** One stage and those below; with counters when it ran. */
function showNode(node: PlanNode, stages?: ReadonlyMap<PlanNode, Stage>): Buffer {
  const builder = new DocumentBuilder();
  builder.appendString('stage', node.stage);
  showDetails(builder, node);
  const stage = stages?.get(node);
  if (stage !== undefined) showCounters(builder, stage);
  const inputs = inputsOf(node).map((input) => showNode(input, stages));
  if (node.stage === 'OR') {
    const list = new ArrayBuilder();
    for (const input of inputs) list.pushDocument(input);
    builder.appendArray('inputStages', list.finish());
  } else if (inputs[0] !== undefined) builder.appendDocument('inputStage', inputs[0]);
  return builder.finish();
}

function showDetails(builder: DocumentBuilder, node: PlanNode): void {
  switch (node.stage) {
    case 'COLLSCAN':
      if (node.filter !== undefined) {
        builder.appendDocument('filter', showFilter(node.filter.tree));
      }
      builder.appendString('direction', node.direction === 1 ? 'forward' : 'backward');
      return;
    case 'IXSCAN':
      showScan(builder, node);
      return;
    case 'EXPRESS_IXSCAN':
      showScan(builder, node.scan);
      return;
    case 'FETCH':
      if (node.residual !== undefined) {
        builder.appendDocument('filter', showFilter(node.residual.tree));
      }
      return;
    case 'SORT':
      builder.appendDocument('sortPattern', node.pattern);
      builder.appendInt32('memLimit', 104_857_600);
      if (node.limit > 0) builder.appendInt32('limitAmount', node.limit);
      builder.appendString('type', 'simple');
      return;
    case 'SKIP':
      builder.appendInt32('skipAmount', node.skip);
      return;
    case 'LIMIT':
      builder.appendInt32('limitAmount', node.limit);
      return;
    case 'PROJECTION_COVERED':
    case 'PROJECTION_DEFAULT':
    case 'PROJECTION_SIMPLE':
      builder.appendDocument('transformBy', node.spec);
      return;
    case 'COUNT':
    case 'EOF':
    case 'OR':
    case 'RECORD_STORE_FAST_COUNT':
    case 'RETURN_KEY':
    case 'SHOW_RECORD_ID':
      return;
  }
}

function showScan(builder: DocumentBuilder, { index, bounds, direction }: IxscanNode): void {
  const keyPattern = new DocumentBuilder();
  const multikeyPaths = new DocumentBuilder();
  const indexBounds = new DocumentBuilder();
  index.fields.forEach((field, position) => {
    keyPattern.appendInt32(field.path, field.direction);
    const paths = new ArrayBuilder();
    if (index.multikeyPaths[position] === true) paths.push(stringValue(field.path));
    multikeyPaths.appendArray(field.path, paths.finish());
    const turned: 1 | -1 = field.direction === direction ? 1 : -1;
    const shown = new ArrayBuilder();
    for (const interval of bounds[position] ?? []) {
      shown.push(stringValue(showInterval(interval, turned)));
    }
    indexBounds.appendArray(field.path, shown.finish());
  });
  builder.appendDocument('keyPattern', keyPattern.finish());
  builder.appendString('indexName', index.name);
  builder.appendBoolean('isMultiKey', index.multikey);
  builder.appendDocument('multiKeyPaths', multikeyPaths.finish());
  builder.appendBoolean('isUnique', index.unique);
  builder.appendBoolean('isSparse', index.sparse);
  builder.appendBoolean('isPartial', getField(index.spec, 'partialFilterExpression') !== undefined);
  builder.appendInt32('indexVersion', 2);
  builder.appendString('direction', direction === 1 ? 'forward' : 'backward');
  builder.appendDocument('indexBounds', indexBounds.finish());
}

function showCounters(builder: DocumentBuilder, { counters }: Stage): void {
  builder.appendInt32('nReturned', counters.advanced);
  builder.appendInt32('isEOF', counters.isEOF ? 1 : 0);
  if (counters.keysExamined !== undefined) {
    builder.appendInt32('keysExamined', counters.keysExamined);
  }
  if (counters.docsExamined !== undefined) {
    builder.appendInt32('docsExamined', counters.docsExamined);
  }
  if (counters.seeks !== undefined) builder.appendInt32('seeks', counters.seeks);
  if (counters.dupsDropped !== undefined) builder.appendInt32('dupsDropped', counters.dupsDropped);
  if (counters.memoryBytes !== undefined) {
    builder.append('totalDataSizeSorted', integerValue(counters.memoryBytes));
    builder.appendBoolean('usedDisk', counters.usedDisk ?? false);
  }
}
