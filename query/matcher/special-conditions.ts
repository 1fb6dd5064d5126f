/**
 * $text and $near in a filter: conditions that no test on a document decides, but an index does.
 *
 * Owns: where they may stand. Source: MongoDB 8.0's rules for canonical queries, and its messages.
 */
import { CommandError } from '../../common/errors.ts';
import type { NearQuery } from './geo/near-query.ts';
import type { TextSearch } from '../text/text-query.ts';
import type { DocumentNode, FilterNode } from './tree.ts';

export interface SpecialConditions {
  readonly text: { readonly node: DocumentNode; readonly search: TextSearch } | undefined;
  readonly near: { readonly node: DocumentNode; readonly near: NearQuery } | undefined;
}

const NONE: SpecialConditions = { text: undefined, near: undefined };

/** @throws CommandError BadValue for one in a place where it may not stand, for two of a kind, and for both kinds. */
export function specialConditionsOf(tree: FilterNode): SpecialConditions {
  const found: Found[] = [];
  collect(tree, 'top', found);
  if (found.length === 0) return NONE;
  let { text, near } = NONE;
  for (const { node, place } of found) {
    const { special } = node;
    if (special?.kind === 'text') {
      if (text !== undefined) throw bad('Too many text expressions');
      if (place === 'negation') throw bad('text expression not allowed in nor');
      text = { node, search: special.search };
    } else if (special?.kind === 'near') {
      if (near !== undefined) throw bad('Too many geoNear expressions');
      if (place !== 'top') throw bad('geoNear must be top-level expr');
      near = { node, near: special.near };
    }
  }
  if (text !== undefined && near !== undefined) {
    throw bad('text and geoNear not allowed in same query');
  }
  return { text, near };
}

type Place = 'top' | 'or' | 'negation';

interface Found {
  readonly node: DocumentNode;
  readonly place: Place;
}

function collect(node: FilterNode, place: Place, found: Found[]): void {
  switch (node.kind) {
    case 'document':
      if (node.special !== undefined) found.push({ node, place });
      return;
    case 'and':
      for (const child of node.children) collect(child, place, found);
      return;
    case 'or':
      for (const child of node.children) {
        collect(child, place === 'negation' ? place : 'or', found);
      }
      return;
    case 'nor':
      for (const child of node.children) collect(child, 'negation', found);
      return;
    case 'not':
    case 'elemMatch':
      collect(node.child, 'negation', found);
      return;
    case 'leaf':
    case 'constant':
  }
}

function bad(message: string): CommandError {
  return new CommandError('BadValue', message);
}
