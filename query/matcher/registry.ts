/**
 * The table of query operators.
 *
 * Promises: a name is defined once.
 */
import { invariant } from '../../common/assert.ts';
import type { FieldOperatorDefinition, TopLevelOperatorDefinition } from './definition.ts';
import { $all, $elemMatch } from './operators/array.ts';
import { bitsOperators } from './operators/bits.ts';
import { comparisonOperators } from './operators/comparison.ts';
import {
  $comment,
  $expr,
  $sampleRate,
  alwaysOperators,
  dbRefFields,
} from './operators/document.ts';
import { $exists, $size, $type } from './operators/element.ts';
import { $eq, $ne } from './operators/equality.ts';
import { geoOperators } from './operators/geo.ts';
import { $in, $nin } from './operators/in.ts';
import { internalExprOperators } from './operators/internal-expr.ts';
import { $jsonSchema } from './operators/jsonSchema.ts';
import { $and, $nor, $not, $or } from './operators/logical.ts';
import { $mod } from './operators/mod.ts';
import { $options, $regex } from './operators/regex.ts';
import { $text } from './operators/text.ts';
import { $where } from './operators/where.ts';

function table<Definition extends { readonly name: string }>(
  definitions: readonly Definition[],
): ReadonlyMap<string, Definition> {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  invariant(byName.size === definitions.length, 'query operators: a name is defined twice');
  return byName;
}

/** Operators before a value: `{ path: { $gt: 1 } }`. */
export const FIELD_OPERATORS: ReadonlyMap<string, FieldOperatorDefinition> = table([
  $all,
  ...bitsOperators,
  ...comparisonOperators,
  $elemMatch,
  $eq,
  $exists,
  ...geoOperators,
  $in,
  ...internalExprOperators,
  $mod,
  $ne,
  $nin,
  $not,
  $options,
  $regex,
  $size,
  $type,
]);

/** Operators in the place of a path: `{ $or: [...] }`. */
export const TOP_LEVEL_OPERATORS: ReadonlyMap<string, TopLevelOperatorDefinition> = table([
  ...alwaysOperators,
  $and,
  $comment,
  ...dbRefFields,
  $expr,
  $jsonSchema,
  $nor,
  $or,
  $sampleRate,
  $text,
  $where,
]);
