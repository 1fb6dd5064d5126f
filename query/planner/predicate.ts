/**
 * One condition of a conjunction that an index can serve.
 */
import type { ElementNode, FilterNode } from '../matcher/tree.ts';
import type { Bounds } from './leaf-bounds.ts';

export interface Predicate {
  readonly path: string;
  readonly bounds: Bounds;
  /** The child of the conjunction that it comes from: dropped from the residual when its bounds are exact. */
  readonly node: FilterNode;
  /** The outermost $elemMatch over objects around it: its conditions hold for one and the same array element. */
  readonly group: ElementNode | undefined;
  /** Holds only where no array lies on the path: an expression compares an array as a whole, an index its elements. */
  readonly withoutArrays?: boolean;
}
