/**
 * One condition of a conjunction that an index can serve.
 */
import type { ElementNode, FilterNode } from '../matcher/tree.ts';
import type { Bounds } from './leaf-bounds.ts';

/** A $elemMatch over objects: its conditions hold for one and the same element. */
export interface ElementScope {
  readonly node: ElementNode;
  /** How many parts of a path below it lead to that element. */
  readonly depth: number;
}

export interface Predicate {
  readonly path: string;
  readonly bounds: Bounds;
  /** The child of the conjunction that it comes from: dropped from the residual when its bounds are exact. */
  readonly node: FilterNode;
  /** Every $elemMatch over objects around it, the outermost first. */
  readonly within: readonly ElementScope[];
  /** Holds only where no array lies on the path: an expression compares an array as a whole, an index its elements. */
  readonly withoutArrays?: boolean;
}
