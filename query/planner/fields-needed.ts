/**
 * Which fields of the documents that enter a pipeline matter at all: what no stage reads need not be carried along, sorted, unwound or
 * written to disk.
 *
 * Promises: a field that is left out changes nothing of what comes out of the pipeline.
 */
import type { QueryContext } from '../context.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { FilterNode } from '../matcher/tree.ts';
import type { PipelineStage } from '../stage/definition.ts';
import { parseSort } from './sort-pattern.ts';

/** Names of the top-level fields that stages read, up to one that lets nothing else through; undefined: possibly all. */
export function fieldsNeeded(
  stages: readonly PipelineStage[],
  context: QueryContext,
): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const { nature, pathsNeeded, reads } of stages) {
    const known = pathsNeeded ?? reads;
    for (const path of known ?? []) names.add(topLevel(path));
    if (pathsNeeded !== undefined) return names;
    if (reads !== undefined) continue;
    if (nature.kind === 'match') {
      if (!addFieldsOf(parseFilter(nature.filter, context, FEATURES), names)) return undefined;
    } else if (nature.kind === 'sort') {
      for (const { path } of parseSort(nature.pattern)?.fields ?? []) names.add(topLevel(path));
    } else if (nature.kind !== 'limit' && nature.kind !== 'skip') return undefined;
  }
  return undefined;
}

/** A stage parsed it before, and knew whether it may stand there. */
const FEATURES = { text: true, near: true };

/** @returns false when the filter may read the whole document. */
export function addFieldsOf(node: FilterNode, names: Set<string>): boolean {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      names.add(topLevel(node.path));
      return true;
    case 'not':
      return addFieldsOf(node.child, names);
    case 'and':
    case 'or':
    case 'nor':
      return node.children.every((child) => addFieldsOf(child, names));
    case 'constant':
      return true;
    case 'document':
      return false;
  }
}

export function topLevel(path: string): string {
  const dot = path.indexOf('.');
  return dot < 0 ? path : path.slice(0, dot);
}
