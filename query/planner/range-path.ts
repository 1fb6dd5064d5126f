/**
 * The way to the documents along one range of an index, whatever the filter says: it is checked on the documents.
 */
import type { Filter } from '../matcher/filter.ts';
import type { IndexDescription, KeyRange } from '../../storage/index.ts';
import type { AccessPath } from './access-request.ts';
import { showKeyPattern } from './index-hint.ts';
import { ALL_VALUES } from './interval.ts';
import type { IxscanNode } from './plan-node.ts';

export function rangePath(index: IndexDescription, range: KeyRange, filter: Filter): AccessPath {
  const scan: IxscanNode = {
    stage: 'IXSCAN',
    index,
    bounds: index.fields.map(() => ALL_VALUES),
    ranges: [range],
    direction: 1,
    keyBounds: undefined,
  };
  const checked = filter.isEmpty ? undefined : filter;
  return {
    id: index.name,
    node: () => ({ stage: 'FETCH', input: scan, residual: checked, whole: checked }),
    sorted: false,
    decidedScan: () => (checked === undefined ? scan : undefined),
    holdsValues: false,
    indexes: [index],
    summary: `IXSCAN ${showKeyPattern(index)}`,
  };
}
