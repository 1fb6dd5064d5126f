/**
 * What an expression sees while it is evaluated: the current document and the variables of enclosing expressions.
 *
 * Owns: the slots of $let, $map, $filter and $reduce. Each such variable gets a slot of its own when it is compiled, so
 * that reading a variable is one array access. Constants of the whole operation are folded in at compilation.
 */
import { documentValue, type RawValue } from '../../bson/index.ts';

/** One evaluation at a time: a scope may be reused for document after document, never by two evaluations at once. */
export class Scope {
  private currentDocument: Buffer;
  private currentRoot: RawValue | undefined;
  /** Values of variables by slot; undefined is a missing value. */
  readonly slots: (RawValue | undefined)[] = [];

  constructor(document: Buffer) {
    this.currentDocument = document;
  }

  /** The document that $$ROOT names. */
  get document(): Buffer {
    return this.currentDocument;
  }

  set document(document: Buffer) {
    this.currentDocument = document;
    this.currentRoot = undefined;
  }

  /** $$ROOT as a value. */
  get root(): RawValue {
    return (this.currentRoot ??= documentValue(this.currentDocument));
  }
}
