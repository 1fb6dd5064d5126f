/**
 * Rewrites a pipeline without changing its meaning: filters and limits go forward, neighbours of a kind are joined.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  fieldCount,
  fieldsOf,
  getField,
  int64Value,
  isEmpty,
} from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { limitStage, skipStage } from '../stage/operators/limit-skip.ts';
import { matchStage } from '../stage/operators/match.ts';
import { sortStage } from '../stage/operators/sort.ts';
import type { PipelineStage } from '../stage/definition.ts';
import { parseSort, sortOrderOf } from './sort-pattern.ts';

export function optimizePipeline(
  stages: readonly PipelineStage[],
  context: QueryContext,
): readonly PipelineStage[] {
  const result: PipelineStage[] = [];
  for (const stage of joinRuns(stages, context)) place(result, stage, context);
  return result;
}

/**
 * Filters that stand behind each other become one in one step: joined two by two, a thousand of them would be compiled a
 * thousand times, each time as one that is longer.
 */
function* joinRuns(
  stages: readonly PipelineStage[],
  context: QueryContext,
): Iterable<PipelineStage> {
  let run: Buffer[] = [];
  for (const [index, stage] of stages.entries()) {
    const next = stages[index + 1]?.nature;
    const goesOn = next?.kind === 'match' && !next.filter.includes('$meta');
    if (stage.nature.kind !== 'match' || (run.length === 0 && !goesOn)) {
      yield stage;
      continue;
    }
    run.push(stage.nature.filter);
    if (goesOn) continue;
    yield matchStage(allOf(run), context);
    run = [];
  }
}

/** Puts a stage behind those placed, joined with or moved before the last one where that changes nothing. */
function place(result: PipelineStage[], stage: PipelineStage, context: QueryContext): void {
  const last = result.at(-1);
  if (last !== undefined) {
    const joined = join(last, stage, context);
    if (joined !== undefined) {
      result.pop();
      place(result, joined, context);
      return;
    }
    if (maySwap(last, stage)) {
      result.pop();
      place(result, stage, context);
      place(result, last, context);
      return;
    }
  }
  result.push(stage);
}

function maySwap(before: PipelineStage, stage: PipelineStage): boolean {
  const { kind } = stage.nature;
  if (kind === 'match') return before.nature.kind === 'sort' && before.nature.limit === 0;
  return (kind === 'limit' || kind === 'skip') && before.nature.kind === 'oneToOne';
}

function join(
  before: PipelineStage,
  stage: PipelineStage,
  context: QueryContext,
): PipelineStage | undefined {
  const a = before.nature;
  const b = stage.nature;
  // What a search knows of a document is not known where documents are searched.
  if (a.kind === 'match' && b.kind === 'match' && !b.filter.includes('$meta'))
    return matchStage(both(a.filter, b.filter), context);
  if (a.kind === 'limit' && b.kind === 'limit') return limitOf(Math.min(a.limit, b.limit));
  if (a.kind === 'skip' && b.kind === 'skip' && Number.isSafeInteger(a.skip + b.skip)) {
    return skipOf(a.skip + b.skip);
  }
  if (a.kind === 'sort' && b.kind === 'limit') {
    return sortOf(a.pattern, a.limit > 0 ? Math.min(a.limit, b.limit) : b.limit, context);
  }
  return undefined;
}

function both(a: Buffer, b: Buffer): Buffer {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return allOf([a, b]);
}

/** Flat: filters that were joined before stand beside the others, not below them. */
function allOf(filters: readonly Buffer[]): Buffer {
  const all = new ArrayBuilder();
  for (const filter of filters) {
    if (isEmpty(filter)) continue;
    const joined = fieldCount(filter) === 1 ? getField(filter, '$and') : undefined;
    if (joined?.type !== BsonType.array) all.pushDocument(filter);
    else for (const [, each] of fieldsOf(joined.asDocument())) all.push(each);
  }
  const members = all.finish();
  if (isEmpty(members)) return EMPTY_DOCUMENT;
  return new DocumentBuilder().append('$and', arrayValue(members)).finish();
}

function limitOf(limit: number): PipelineStage {
  return limitStage(limit, documentOf({ $limit: int64Value(BigInt(limit)) }));
}

function skipOf(skip: number): PipelineStage {
  return skipStage(skip, documentOf({ $skip: int64Value(BigInt(skip)) }));
}

function sortOf(pattern: Buffer, limit: number, context: QueryContext): PipelineStage | undefined {
  const sort = parseSort(pattern);
  if (sort === undefined) return undefined;
  const shown = documentOf({
    $sort: documentValue(
      documentOf({
        sortKey: pattern,
        ...(limit > 0 ? { limit: int64Value(BigInt(limit)) } : {}),
      }),
    ),
  });
  return sortStage(pattern, sortOrderOf(sort, context), limit, shown);
}

/** The beginning of a pipeline as a find, and the stages behind it. */
export interface LeadingFind {
  readonly filter: Buffer | undefined;
  readonly sort: Buffer | undefined;
  readonly skip: number;
  /** 0: none. */
  readonly limit: number;
  readonly rest: readonly PipelineStage[];
}

/** Takes $match, $sort, $skip and $limit from the front, as far as they stand in the order in which a find applies them. */
export function leadingFind(stages: readonly PipelineStage[]): LeadingFind {
  let index = 0;
  const take = <Kind extends PipelineStage['nature']['kind']>(
    kind: Kind,
  ): Extract<PipelineStage['nature'], { kind: Kind }> | undefined => {
    const nature = stages[index]?.nature;
    if (nature?.kind !== kind) return undefined;
    index += 1;
    return nature as Extract<PipelineStage['nature'], { kind: Kind }>;
  };
  const filter = take('match')?.filter;
  const sort = take('sort');
  // A sort that has its limit already comes before any skip: the skip then stays in the pipeline.
  if (sort !== undefined && sort.limit > 0) {
    return { filter, sort: sort.pattern, skip: 0, limit: sort.limit, rest: stages.slice(index) };
  }
  const skip = take('skip')?.skip ?? 0;
  const limit = take('limit')?.limit ?? 0;
  return { filter, sort: sort?.pattern, skip, limit, rest: stages.slice(index) };
}
