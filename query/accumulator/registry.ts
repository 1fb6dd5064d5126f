/**
 * All accumulators by name. Refuses two definitions of a name.
 */
import { tassert } from '../../common/assert.ts';
import type { AccumulatorDefinition } from './definition.ts';
import { N_VALUES } from './operators/n-values.ts';
import { NUMBERS } from './operators/numbers.ts';
import { QUANTILE } from './operators/quantile.ts';
import { SCRIPTS } from './operators/scripts.ts';
import { TOP } from './operators/top.ts';
import { VALUES } from './operators/values.ts';

const BY_NAME = new Map<string, AccumulatorDefinition>();
for (const definition of [...N_VALUES, ...NUMBERS, ...QUANTILE, ...SCRIPTS, ...TOP, ...VALUES]) {
  tassert(!BY_NAME.has(definition.name), 'accumulator registry: a name is defined twice');
  BY_NAME.set(definition.name, definition);
}

export function findAccumulator(name: string): AccumulatorDefinition | undefined {
  return BY_NAME.get(name);
}

/** Groups of several shards can be made one without their documents. @param name with its dollar */
export function isMergeable(name: string): boolean {
  return BY_NAME.get(name)?.isMergeable === true;
}

/** Names of all accumulators, for documentation and tests. */
export function accumulatorNames(): readonly string[] {
  return [...BY_NAME.keys()].sort();
}
