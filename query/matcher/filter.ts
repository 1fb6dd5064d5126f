/**
 * What a compiled filter is to its callers.
 *
 * Owns: the types at the door of the matcher family.
 */
import type { LongWork } from '../expression/long-work.ts';
import type { FilterNode } from './tree.ts';

/** A compiled filter. Not re-entrant, otherwise without state. */
export interface Filter {
  /** Whether a document matches. */
  matches(document: Buffer): boolean;
  /** The same for the document that begins at `start` in `bytes`: a scan need not make a Buffer per document. */
  matchesAt(bytes: Buffer, start: number): boolean;
  /**
   * The index of the array element through which the document matched, for positional `$`; undefined when no array
   * was involved, and when the document does not match.
   */
  matchPosition(document: Buffer): number | undefined;
  /** The filter in normal form, for the planner and explain. */
  readonly tree: FilterNode;
  /** Part of it is JavaScript: `matches` needs a prepared session. */
  readonly usesScripts: boolean;
  /** Whether part of it may take long. */
  readonly longWork: LongWork | undefined;
  /** No condition at all: everything matches. */
  readonly isEmpty: boolean;
}
