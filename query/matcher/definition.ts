/**
 * How a query operator is defined: its name, where it may stand, and how its argument becomes nodes of the tree.
 *
 * Owns: defineFieldOperator, defineTopLevelOperator and what a definition may ask of the parser.
 */
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import type { FilterNode } from './tree.ts';

/** Which kinds of operator the place of the filter allows. */
export interface FilterFeatures {
  /** $expr; absent: allowed. */
  readonly expr?: boolean;
  /** $jsonSchema; absent: allowed. */
  readonly jsonSchema?: boolean;
  /** $text; absent: refused. */
  readonly text?: boolean;
  /** $near and its like; absent: refused. */
  readonly near?: boolean;
  /** $where; absent: allowed. */
  readonly javascript?: boolean;
}

/** Parsing of one filter: what an operator's definition may call back. */
export interface FilterParser {
  readonly context: QueryContext;
  readonly features: FilterFeatures;
  /** A whole filter, such as an entry of $or. `nested`: it is about elements of an array, not about the document. */
  parseFilter(filter: Buffer, nested: boolean): FilterNode;
  /** The operators in `{ $gt: 1, $lt: 5 }`, all about `path`. */
  parseFieldOperators(path: string, operators: Buffer, nested: boolean): FilterNode;
  /** Whether an operator of this name stands before a value ({ a: { $gt: 1 } }). */
  isFieldOperator(name: string): boolean;
  /** Whether an operator of this name stands in the place of a path ({ $or: [...] }). */
  isTopLevelOperator(name: string): boolean;
}

/** A use of a field operator: `{ path: { name: operand, ...siblings } }`. */
export interface FieldOperatorUse {
  readonly path: string;
  readonly name: string;
  readonly operand: RawValue;
  /** The document in which the operator stands: `$regex` looks there for its `$options`. */
  readonly siblings: Buffer;
  readonly context: QueryContext;
  readonly parser: FilterParser;
  readonly nested: boolean;
}

export interface FieldOperatorDefinition {
  readonly name: string;
  /** @returns undefined when the operator adds no condition of its own. @throws CommandError BadValue and others. */
  readonly parse: (use: FieldOperatorUse) => FilterNode | undefined;
}

/** A use of a top-level operator: `{ name: operand }`. */
export interface TopLevelOperatorUse {
  readonly name: string;
  readonly operand: RawValue;
  readonly context: QueryContext;
  readonly parser: FilterParser;
  readonly nested: boolean;
}

export interface TopLevelOperatorDefinition {
  readonly name: string;
  /** @returns undefined when the operator adds no condition ($comment). */
  readonly parse: (use: TopLevelOperatorUse) => FilterNode | undefined;
}

/** Declares an operator that tests the values at a path. */
export function defineFieldOperator(definition: FieldOperatorDefinition): FieldOperatorDefinition {
  return definition;
}

/** Declares an operator that stands where a path could stand. */
export function defineTopLevelOperator(
  definition: TopLevelOperatorDefinition,
): TopLevelOperatorDefinition {
  return definition;
}
