/**
 * Compiled projections of plain paths, kept: {name: 1, address: 1} comes with every request of an application.
 *
 * Only pure inclusions are kept: they depend on nothing but their own bytes.
 */
import type { QueryContext } from '../context.ts';
import type { Filter } from '../matcher/filter.ts';
import { compileProjection } from '../projection/compile.ts';
import type { Projection } from '../projection/projection.ts';

/** An application has few projections; past this the oldest goes. */
const MAX_ENTRIES = 512;
const MAX_KEY_BYTES = 1024;

const CACHE = new Map<string, Projection>();

/** @param filter of the same query; asked for only when the projection is not known yet. */
export function projectionFor(
  spec: Buffer,
  context: QueryContext,
  filter: () => Filter,
): Projection {
  if (spec.length > MAX_KEY_BYTES) return compileProjection(spec, { context, filter: filter() });
  const key = spec.toString('latin1');
  const known = CACHE.get(key);
  if (known !== undefined) return known;
  const compiled = compileProjection(spec, { context, filter: filter() });
  const isPure = compiled.fieldsNeeded !== undefined && !compiled.needsPosition;
  if (isPure && compiled.metadataNeeded.size === 0) {
    const oldest = CACHE.size >= MAX_ENTRIES ? CACHE.keys().next().value : undefined;
    if (oldest !== undefined) CACHE.delete(oldest);
    CACHE.set(key, compiled);
  }
  return compiled;
}
