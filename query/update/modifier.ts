/**
 * How an update operator is defined, and what it sees when it runs.
 *
 * Owns: defineModifier and the types between an operator and the walk over the document (apply.ts).
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';

/** What happens to an existing value: a new value (the same object: no change), or 'removed'. */
export type Outcome = RawValue | 'removed';

/** The document that is being updated, for those operators that look beyond their own value. */
export interface Application {
  /** The document before the update. */
  readonly document: Buffer;
  /** Index of the array element that the filter matched, for `$`. */
  readonly positionalIndex: number | undefined;
  /** The document is about to be inserted by an upsert. */
  readonly isInsert: boolean;
  /** Values that $rename moves, by the number of the rename; undefined: the source is missing. */
  readonly renamed: readonly (RawValue | undefined)[];
}

/** Where a modifier is being applied. */
export interface Place {
  /** Dotted path of the value. */
  readonly path: string;
  /** The value is an element of an array. */
  readonly inArray: boolean;
  readonly application: Application;
}

/** One use of an operator, parsed: `{ $inc: { a: 1 } }` becomes a modifier at the path a. */
export interface Modifier {
  /** The new value in place of an existing one. */
  update(value: RawValue, place: Place): Outcome;
  /** The value of a field that does not exist yet; undefined: it stays missing. */
  create(place: Place): RawValue | undefined;
  /** A path that leads through a scalar is an error (PathNotViable), also when nothing would be made there. */
  readonly needsPath: boolean;
  /** Only for upserts that insert. */
  readonly onInsertOnly?: boolean;
}

/** A use of an operator as it was written: `{ name: { path: operand } }`. */
export interface ModifierUse {
  readonly path: string;
  readonly operand: RawValue;
  readonly context: QueryContext;
}

export interface ModifierDefinition {
  readonly name: string;
  /** @throws CommandError for an operand that the operator does not accept. */
  readonly parse: (use: ModifierUse) => Modifier;
}

/** Declares an update operator. The registry refuses a second definition of the name. */
export function defineModifier(definition: ModifierDefinition): ModifierDefinition {
  return definition;
}
