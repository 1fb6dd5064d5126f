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
import { compileFilter } from '../matcher/compile.ts';
import type { FilterNode } from '../matcher/tree.ts';
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
    const split = splitMatch(last, stage, context);
    if (split !== undefined) {
      result.pop();
      place(result, split.before, context);
      place(result, last, context);
      if (split.after !== undefined) result.push(split.after);
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

/** The conditions of a $match that may be asked before the stage in front of it, and the others. */
function splitMatch(
  before: PipelineStage,
  stage: PipelineStage,
  context: QueryContext,
): { readonly before: PipelineStage; readonly after: PipelineStage | undefined } | undefined {
  const { keepsField, renamedField } = before;
  if (stage.nature.kind !== 'match' || keepsField === undefined) return undefined;
  const movable: Buffer[] = [];
  const others: Buffer[] = [];
  for (const condition of conditionsOf(stage.nature.filter)) {
    const fields = fieldsAskedFor(compileFilter(condition, context).tree);
    const isKept = fields !== undefined && fields.length > 0 && fields.every(keepsField);
    if (isKept) movable.push(condition);
    else {
      const renamed = renamedField === undefined ? undefined : underSource(condition, renamedField);
      if (renamed === undefined) others.push(condition);
      else movable.push(renamed);
    }
  }
  if (movable.length === 0) return undefined;
  return {
    before: matchStage(movable.reduce(both), context),
    after: others.length === 0 ? undefined : matchStage(others.reduce(both), context),
  };
}

/** A condition on a copy of a field as one on the field; undefined when it is about something else. */
function underSource(
  condition: Buffer,
  renamedField: (name: string) => string | undefined,
): Buffer | undefined {
  const [[path, value] = []] = fieldsOf(condition);
  if (path === undefined || value === undefined || path.startsWith('$')) return undefined;
  const [name, ...below] = path.split('.');
  const source = renamedField(name);
  if (source === undefined) return undefined;
  return new DocumentBuilder().append([source, ...below].join('.'), value).finish();
}

/** The members of a filter that must all hold. */
function conditionsOf(filter: Buffer): Buffer[] {
  return Array.from(fieldsOf(filter)).flatMap(([name, value]) =>
    name === '$and' && value.type === BsonType.array
      ? Array.from(fieldsOf(value.asDocument()), ([, member]) => member.asDocument())
      : [new DocumentBuilder().append(name, value).finish()],
  );
}

/** Top-level fields that a condition is about; undefined when it may be about anything. */
function fieldsAskedFor(node: FilterNode): readonly string[] | undefined {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return [node.path.split('.')[0]];
    case 'not':
      return fieldsAskedFor(node.child);
    case 'and':
    case 'or':
    case 'nor': {
      const fields = node.children.map(fieldsAskedFor);
      const known = fields.filter((each) => each !== undefined);
      return known.length === fields.length ? known.flat() : undefined;
    }
    default:
      return undefined;
  }
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
