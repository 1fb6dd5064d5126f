/**
 * Ways to the documents that need two indexes: the records that the scans of both have in common.
 *
 * Owns: which pairs of candidates are worth a thought. Whether one pays is seen in a trial (executor/multi-plan.ts).
 * Promises: a pair says of a document what both scans say of it, arrays or not: conditions that have to meet in one element stay with the
 * scan that decides them, or are checked on the document. Source: MongoDB's manual, "Index Intersection".
 */
import { CUT_INDEX_KEY_PREFIX_BYTES } from '../../storage/index.ts';
import type { Filter } from '../matcher/filter.ts';
import type { AccessPath, AccessRequest } from './access-request.ts';
import { isClustered } from './clustered-scan.ts';
import { type IndexBounds, scanOf } from './index-candidate.ts';
import { showKeyPattern } from './index-hint.ts';
import { isAllValues, isPoint } from './interval.ts';
import type { IntersectionNode, IxscanNode } from './plan-node.ts';
import { isDecided, residualOf } from './residual.ts';

/** So many of the most promising indexes are paired (as internalQueryEnumerationMaxIntersectPerAnd). */
const MAX_PAIRED_INDEXES = 3;

interface Scanned {
  readonly id: string;
  readonly bounds: IndexBounds;
}

/** @param candidates whose bounds narrow, the most promising first. */
export function intersectionPaths(
  candidates: readonly Scanned[],
  request: AccessRequest,
): readonly AccessPath[] {
  if (request.context.planner?.intersections() === 'off') return [];
  const idents = new Set<number>();
  const paired = candidates.filter(({ bounds: { index } }) => {
    if (isClustered(index) || idents.has(index.ident)) return false;
    idents.add(index.ident);
    return idents.size <= MAX_PAIRED_INDEXES;
  });
  return paired.flatMap((first, position) =>
    paired
      .slice(position + 1)
      .filter((second) => complement(first.bounds, second.bounds))
      .map((second) => intersectionPath(first, second, request.filter)),
  );
}

/** Each begins with a condition that the other does not know of. */
function complement(first: IndexBounds, second: IndexBounds): boolean {
  const [ofFirst, ofSecond] = [restrictedPaths(first), restrictedPaths(second)];
  return !ofFirst.includes(ofSecond[0]) && !ofSecond.includes(ofFirst[0]);
}

function restrictedPaths({ index, shape, bounds }: IndexBounds): readonly string[] {
  return index.fields.flatMap(({ path }, position) =>
    shape.fields[position].fixed === undefined && !isAllValues(bounds[position]) ? [path] : [],
  );
}

function intersectionPath(first: Scanned, second: Scanned, filter: Filter): AccessPath {
  const decided = new Set([...first.bounds.decided, ...second.bounds.decided]);
  const decides = isDecided(filter, decided);
  const scans = (whole?: Filter): IntersectionNode => {
    const inputs = [scanOf(first.bounds, 1), scanOf(second.bounds, 1)] as const;
    const stage = inputs.every(isInRecordOrder) ? 'AND_SORTED' : 'AND_HASH';
    return { stage, inputs, whole };
  };
  const indexes = [first.bounds.index, second.bounds.index];
  return {
    id: `${first.id} and ${second.id}`,
    node: () => ({
      stage: 'FETCH',
      input: scans(),
      residual: decides ? undefined : residualOf(filter, decided),
      whole: filter,
    }),
    sorted: false,
    decidedScan: () => (decides ? scans(filter) : undefined),
    holdsValues: false,
    indexes,
    isIntersection: true,
    summary: indexes.map((index) => `IXSCAN ${showKeyPattern(index)}`).join(', '),
  };
}

/** Its entries have one key, which is whole: they lie in order of their record ids. */
function isInRecordOrder({ bounds, ranges, keyBounds }: IxscanNode): boolean {
  if (keyBounds !== undefined || ranges.length !== 1) return false;
  const [{ lower, upper }] = ranges;
  if (lower === undefined || upper === undefined || !lower.equals(upper)) return false;
  if (lower.length > CUT_INDEX_KEY_PREFIX_BYTES) return false;
  return bounds.every((intervals) => intervals.length === 1 && isPoint(intervals[0]));
}
