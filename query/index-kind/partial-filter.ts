/**
 * The filter of a partial index: only documents that match it have entries. Compiled once per specification.
 */
import { BsonType, getField } from '../../bson/index.ts';
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { simpleContext } from '../context.ts';
import { compileFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { collatorOf } from './collation.ts';

const FILTERS = new WeakMap<Buffer, { readonly filter: Filter | undefined }>();

/** undefined: every document is in the index. Strings are compared by the index's own collation. */
export function partialFilterOf(index: Pick<IndexDescription, 'spec'>): Filter | undefined {
  let known = FILTERS.get(index.spec);
  if (known === undefined) {
    known = { filter: compilePartialFilter(index) };
    FILTERS.set(index.spec, known);
  }
  return known.filter;
}

function compilePartialFilter(index: Pick<IndexDescription, 'spec'>): Filter | undefined {
  const expression = getField(index.spec, 'partialFilterExpression');
  if (expression?.type !== BsonType.object) return undefined;
  const collator = collatorOf(index);
  // None of the operators that are allowed in it looks at the time, or at random numbers.
  const context = simpleContext(systemClock, systemRandom);
  return compileFilter(
    expression.asDocument(),
    collator === undefined ? context : { ...context, collator },
  );
}
