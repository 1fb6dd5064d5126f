/**
 * Plan nodes as documents, in MongoDB's shape; with counters when the plan ran.
 *
 * Owns: how each plan stage is shown, and the counters that our stages do not keep but MongoDB shows (works, needTime).
 * Source: MongoDB's manual, "Explain Results".
 */
import {
  ArrayBuilder,
  BsonType,
  DocumentBuilder,
  getField,
  integerValue,
  NULL,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { AND_HASH_MAX_BYTES } from '../executor/and-hash.ts';
import type { StageCounters } from '../executor/stage.ts';
import { conjunction } from '../matcher/tree.ts';
import { showKeyPattern } from '../planner/index-hint.ts';
import { showInterval } from '../planner/interval.ts';
import { inputsOf, type IxscanNode, type NearNode, type PlanNode } from '../planner/plan-node.ts';
import { showTextQuery } from '../text/text-query.ts';
import { showFilter } from './show-filter.ts';
import type { IndexDescription } from '../../storage/index.ts';

/** What a stage did. */
export interface StageRun {
  readonly counters: StageCounters;
  readonly elapsedMs: number;
  /** How often the plan gave up its turn: each time all its stages let go of what they read, and took it up again. */
  readonly yields: number;
}

export type PlanRun = ReadonlyMap<PlanNode, StageRun>;

export interface ShowOptions {
  /** Whether the plan is in the plan cache; absent: not shown. */
  readonly isCached?: boolean;
  readonly run?: PlanRun;
}

/** One stage and those below. */
export function showPlan(node: PlanNode, options: ShowOptions = {}): Buffer {
  if (node.stage === 'METADATA') return showPlan(node.input, options);
  const { isCached, run } = options;
  const builder = new DocumentBuilder();
  if (isCached !== undefined) builder.appendBoolean('isCached', isCached);
  builder.appendString('stage', node.stage);
  showFilterOf(builder, node);
  const ran = run?.get(node);
  if (run !== undefined && ran !== undefined) showProgress(builder, node, run, ran);
  showDetails(builder, node);
  if (ran !== undefined) showCounters(builder, node, ran.counters);
  const inputs = inputsOf(node).map((input) => showPlan(input, run === undefined ? {} : { run }));
  if ('inputs' in node) {
    const list = new ArrayBuilder();
    for (const input of inputs) list.pushDocument(input);
    builder.appendArray('inputStages', list.finish());
  } else if (inputs[0] !== undefined) builder.appendDocument('inputStage', inputs[0]);
  return builder.finish();
}

function showFilterOf(builder: DocumentBuilder, node: PlanNode): void {
  const isScan = node.stage === 'COLLSCAN' || node.stage === 'CLUSTERED_IXSCAN';
  if (isScan && node.filter !== undefined) {
    builder.appendDocument('filter', showFilter(node.filter.tree));
  } else if ('near' in node || node.stage === 'TEXT_OR') {
    if (node.filter !== undefined) builder.appendDocument('filter', showFilter(node.filter.tree));
  } else if (node.stage === 'FETCH' && node.residual !== undefined) {
    builder.appendDocument('filter', showFilter(node.residual.tree));
  } else if (node.stage === 'IXSCAN' && (node.keyBounds?.tests.length ?? 0) > 0) {
    const tests = node.keyBounds?.tests.map((test) => test.node) ?? [];
    builder.appendDocument('filter', showFilter(conjunction(tests)));
  }
}

function showDetails(builder: DocumentBuilder, node: PlanNode): void {
  switch (node.stage) {
    case 'COLLSCAN':
      builder.appendString('direction', node.direction === 1 ? 'forward' : 'backward');
      return;
    case 'IXSCAN':
      showScan(builder, node);
      return;
    case 'DISTINCT_SCAN':
      showScan(builder, node.scan);
      return;
    case 'COUNT_SCAN':
      showCountScan(builder, node.scan);
      return;
    case 'CLUSTERED_IXSCAN':
      showClusteredScan(builder, node.scan);
      return;
    case 'EXPRESS_CLUSTERED_IXSCAN':
      return;
    case 'EXPRESS_IXSCAN':
      builder.appendString('keyPattern', showKeyPattern(node.scan.index));
      builder.appendString('indexName', node.scan.index.name);
      return;
    case 'TEXT_MATCH':
      builder.appendDocument('indexPrefix', node.prefix);
      builder.appendString('indexName', node.index.name);
      builder.appendDocument('parsedTextQuery', showTextQuery(node.query));
      builder.appendInt32('textIndexVersion', 3);
      return;
    case 'GEO_NEAR_2DSPHERE':
    case 'GEO_NEAR_2D':
      showNear(builder, node);
      return;
    case 'SORT':
      builder.appendDocument('sortPattern', node.pattern);
      builder.appendInt32('memLimit', 104_857_600);
      if (node.limit > 0) builder.append('limitAmount', integerValue(node.limit));
      builder.appendString('type', 'simple');
      return;
    case 'SORT_MERGE':
      builder.appendDocument('sortPattern', node.pattern);
      return;
    case 'SKIP':
      builder.append('skipAmount', integerValue(node.skip));
      return;
    case 'LIMIT':
      builder.append('limitAmount', integerValue(node.limit));
      return;
    case 'PROJECTION_COVERED':
    case 'PROJECTION_DEFAULT':
    case 'PROJECTION_SIMPLE':
      builder.appendDocument('transformBy', node.spec);
      return;
    case 'AND_HASH':
    case 'AND_SORTED':
    case 'BATCHED_DELETE':
    case 'COUNT':
    case 'DELETE':
    case 'EOF':
    case 'FETCH':
    case 'SHARDING_FILTER':
    case 'METADATA':
    case 'TEXT_OR':
    case 'OR':
    case 'RECORD_STORE_FAST_COUNT':
    case 'RETURN_KEY':
    case 'SHOW_RECORD_ID':
    case 'UPDATE':
      return;
  }
}

function showNear(builder: DocumentBuilder, { index }: NearNode): void {
  const keyPattern = getField(index.spec, 'key');
  if (keyPattern !== undefined) builder.append('keyPattern', keyPattern);
  builder.appendString('indexName', index.name);
  builder.appendInt32('indexVersion', 2);
}

/** Where it begins and ends; what is open is not shown. */
function showClusteredScan(builder: DocumentBuilder, { bounds, direction }: IxscanNode): void {
  builder.appendString('direction', direction === 1 ? 'forward' : 'backward');
  const lowest = bounds[0].at(0)?.lower;
  const highest = bounds[0].at(-1)?.upper;
  if (lowest !== undefined && lowest.type !== BsonType.minKey) builder.append('minRecord', lowest);
  if (highest !== undefined && highest.type !== BsonType.maxKey) {
    builder.append('maxRecord', highest);
  }
}

function showScan(builder: DocumentBuilder, scan: IxscanNode): void {
  const { index, bounds, direction } = scan;
  showIndex(builder, scan);
  builder.appendString('direction', direction === 1 ? 'forward' : 'backward');
  builder.beginDocument('indexBounds');
  index.fields.forEach((field, position) => {
    const turned: 1 | -1 = field.direction === direction ? 1 : -1;
    const shown = new ArrayBuilder();
    const intervals = bounds[position] ?? [];
    for (const interval of turned === 1 ? intervals : intervals.toReversed()) {
      shown.push(stringValue(showInterval(interval, turned)));
    }
    builder.appendArray(field.path, shown.finish());
  });
  builder.end();
}

/** As the scan sees it: of a wildcard index, its path and the path that was asked for. */
function appendKeyPattern(builder: DocumentBuilder, { spec, fields }: IndexDescription): void {
  const keyPattern = getField(spec, 'key');
  if (!fields.some(({ path }) => path === '$_path')) {
    if (keyPattern !== undefined) builder.append('keyPattern', keyPattern);
    return;
  }
  builder.beginDocument('keyPattern');
  for (const { path, direction } of fields) builder.appendInt32(path, direction);
  builder.end();
}

function showIndex(builder: DocumentBuilder, { index }: IxscanNode): void {
  appendKeyPattern(builder, index);
  builder.appendString('indexName', index.name);
  const collation = getField(index.spec, 'collation');
  if (collation !== undefined) builder.append('collation', collation);
  builder.appendBoolean('isMultiKey', index.multikey);
  builder.beginDocument('multiKeyPaths');
  index.fields.forEach((field, position) => {
    const paths = new ArrayBuilder();
    const parts = field.path.split('.');
    for (const component of index.multikeyPaths[position] ?? []) {
      paths.push(stringValue(parts.slice(0, component + 1).join('.')));
    }
    builder.appendArray(field.path, paths.finish());
  });
  builder.end();
  builder.appendBoolean('isUnique', index.unique);
  builder.appendBoolean('isSparse', index.sparse);
  builder.appendBoolean('isPartial', getField(index.spec, 'partialFilterExpression') !== undefined);
  builder.appendInt32('indexVersion', getField(index.spec, 'v')?.asNumber() ?? 2);
}

/** The bounds of a COUNT_SCAN are the two keys that it runs between. */
function showCountScan(builder: DocumentBuilder, scan: IxscanNode): void {
  showIndex(builder, scan);
  const edges = scan.index.fields.map((field, position) => {
    const [interval] = scan.bounds[position] ?? [];
    const isTurned = field.direction === -1;
    return {
      path: field.path,
      first: isTurned ? interval?.upper : interval?.lower,
      last: isTurned ? interval?.lower : interval?.upper,
      firstInclusive: (isTurned ? interval?.upperInclusive : interval?.lowerInclusive) ?? true,
      lastInclusive: (isTurned ? interval?.lowerInclusive : interval?.upperInclusive) ?? true,
    };
  });
  const keyOf = (pick: (edge: (typeof edges)[number]) => RawValue | undefined): Buffer => {
    const key = new DocumentBuilder();
    for (const edge of edges) key.append(edge.path, pick(edge) ?? NULL);
    return key.finish();
  };
  builder.beginDocument('indexBounds');
  builder.appendDocument(
    'startKey',
    keyOf(({ first }) => first),
  );
  builder.appendBoolean(
    'startKeyInclusive',
    edges.every(({ firstInclusive }) => firstInclusive),
  );
  builder.appendDocument(
    'endKey',
    keyOf(({ last }) => last),
  );
  builder.appendBoolean(
    'endKeyInclusive',
    edges.every(({ lastInclusive }) => lastInclusive),
  );
  builder.end();
}

/** What every stage shows of its run. */
function showProgress(builder: DocumentBuilder, node: PlanNode, run: PlanRun, ran: StageRun): void {
  const advanced = advancedOf(node, ran);
  const works = worksOf(node, run);
  const isEof = ran.counters.isEOF ? 1 : 0;
  builder.append('nReturned', integerValue(advanced));
  builder.append('executionTimeMillisEstimate', integerValue(Math.round(ran.elapsedMs)));
  builder.append('works', integerValue(works));
  builder.append('advanced', integerValue(advanced));
  builder.append('needTime', integerValue(Math.max(0, works - advanced - isEof)));
  // No stage asks for a yield because another writer is in its way: readers have snapshots.
  builder.appendInt32('needYield', 0);
  builder.append('saveState', integerValue(ran.yields));
  builder.append('restoreState', integerValue(ran.yields));
  builder.appendInt32('isEOF', isEof);
}

/** A COUNT gives its number, no rows. */
function advancedOf(node: PlanNode, { counters }: StageRun): number {
  return node.stage === 'COUNT' ? 0 : counters.advanced;
}

/** Calls of MongoDB's work(): one for each key or document looked at, one for the end, one more for each row out of a sort. */
function worksOf(node: PlanNode, run: PlanRun): number {
  const ran = run.get(node);
  if (ran === undefined) return 0;
  const { counters } = ran;
  const end = counters.isEOF ? 1 : 0;
  const below = inputsOf(node).reduce((sum, input) => sum + worksOf(input, run), 0);
  if (node.stage === 'SORT') return below + counters.advanced;
  if (below > 0) return Math.max(below, counters.advanced + end);
  const examined = counters.keysExamined ?? counters.docsExamined ?? 0;
  return Math.max(examined, counters.advanced) + end;
}

function showCounters(builder: DocumentBuilder, node: PlanNode, counters: StageCounters): void {
  const count = (name: string, value: number | undefined): void => {
    if (value !== undefined) builder.append(name, integerValue(value));
  };
  if (node.stage === 'COUNT') {
    count('nCounted', counters.advanced);
    count('nSkipped', counters.skipped ?? 0);
  }
  if (node.stage === 'UPDATE') {
    const matched = counters.matched ?? 0;
    count('nMatched', matched);
    count('nWouldModify', counters.changed ?? 0);
    count('nWouldUpsert', matched === 0 && node.upsert ? 1 : 0);
  } else if (node.stage === 'DELETE' || node.stage === 'BATCHED_DELETE') {
    count('nWouldDelete', counters.matched ?? 0);
  }
  count('keysExamined', counters.keysExamined);
  count('seeks', counters.seeks);
  count('docsExamined', counters.docsExamined);
  if (node.stage === 'FETCH') count('alreadyHasObj', 0);
  if (counters.hashBytes !== undefined) {
    count('memUsage', counters.hashBytes);
    count('memLimit', AND_HASH_MAX_BYTES);
  }
  counters.mapAfterChild?.forEach((kept, child) => count(`mapAfterChild_${child}`, kept));
  counters.failedAnd?.forEach((failed, child) => count(`failedAnd_${child}`, failed));
  if (counters.dupsDropped !== undefined) {
    count('dupsTested', counters.dupsTested ?? counters.advanced + counters.dupsDropped);
    count('dupsDropped', counters.dupsDropped);
  }
  if (counters.memoryBytes !== undefined) {
    count('totalDataSizeSorted', counters.memoryBytes);
    builder.appendBoolean('usedDisk', counters.usedDisk ?? false);
    count('spills', counters.usedDisk === true ? 1 : 0);
    count('spilledDataStorageSize', 0);
  }
}
