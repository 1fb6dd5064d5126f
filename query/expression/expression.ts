/**
 * A compiled aggregation expression.
 */
import type { RawValue } from '../../bson/index.ts';
import type { Scope } from './scope.ts';

/** Computes the value for one document; undefined is a missing value. */
export type Evaluate = (scope: Scope) => RawValue | undefined;

export interface Expression {
  readonly evaluate: Evaluate;
  /** Present when the value is the same for every document. */
  readonly constant?: { readonly value: RawValue | undefined };
  /** Paths of the document that the expression reads; undefined when it may read the whole document. */
  readonly paths: ReadonlySet<string> | undefined;
  /** Set when the expression is just a path of the document, such as "$a.b" -> "a.b". */
  readonly fieldPath?: string;
}
