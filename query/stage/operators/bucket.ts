/**
 * $bucket: $group by ranges, in their order.
 */
import {
  BsonType,
  compareValues,
  documentOf,
  documentValue,
  FieldCursor,
  fieldsOf,
  inspect,
  int32Value,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { defineStage, type PipelineStage } from '../definition.ts';
import { compileGroupField, type GroupField, groupStage } from './group.ts';
import { sortStage } from './sort.ts';

/** What a bucket stage counts when no output is given: {count: {$sum: 1}}. */
export function defaultOutput(context: QueryContext): readonly GroupField[] {
  const sum = documentValue(documentOf({ $sum: int32Value(1) }));
  return [compileGroupField('count', sum, context)];
}

export function outputFields(
  stage: string,
  output: RawValue | undefined,
  context: QueryContext,
): readonly GroupField[] {
  if (output === undefined) return defaultOutput(context);
  if (output.type !== BsonType.object) {
    throw new CommandError(
      stage === '$bucket' ? 40196 : 40244,
      `The ${stage} 'output' field must be an object, but found type: ${output.typeName}.`,
    );
  }
  return Array.from(fieldsOf(output.asDocument()), ([name, value]) =>
    compileGroupField(name, value, context),
  );
}

function constant(value: RawValue, context: QueryContext, code: number, what: string): RawValue {
  const expression = compileExpression(value, context);
  const found = expression.constant?.value;
  if (found !== undefined) return found;
  throw new CommandError(
    code,
    `The $bucket ${what} must be able to evaluate to a constant value, but found ${inspect(value)}`,
  );
}

function parseBoundaries(value: RawValue | undefined, context: QueryContext): readonly RawValue[] {
  if (value === undefined) {
    throw new CommandError(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  }
  if (value.type !== BsonType.array) {
    throw new CommandError(
      40200,
      `The $bucket 'boundaries' field must be an array, but found type: ${value.typeName}.`,
    );
  }
  const boundaries = elementsOf(value).map((item) =>
    constant(item, context, 40191, "'boundaries' field"),
  );
  if (boundaries.length < 2) {
    throw new CommandError(
      40192,
      `The $bucket 'boundaries' field must have at least 2 values, but found ${boundaries.length} value(s).`,
    );
  }
  boundaries.slice(1).forEach((upper, index) => checkPair(boundaries[index], upper, context));
  return boundaries;
}

function checkPair(lower: RawValue, upper: RawValue, context: QueryContext): void {
  const sameKind = lower.type === upper.type || (lower.isNumber && upper.isNumber);
  if (!sameKind) {
    throw new CommandError(
      40193,
      `All values in the the 'boundaries' option to $bucket must have the same type. Found conflicting types ${lower.typeName} and ${upper.typeName}.`,
    );
  }
  if (compareValues(lower, upper, context.collator) < 0) return;
  throw new CommandError(
    40194,
    "The 'boundaries' option to $bucket must be sorted, but elements are not in ascending order.",
  );
}

/** The lower boundary of the bucket that a value belongs to. */
function bucketOf(
  boundaries: readonly RawValue[],
  groupBy: Expression,
  fallback: RawValue | undefined,
  context: QueryContext,
): Expression {
  const last = boundaries.length - 1;
  return {
    paths: groupBy.paths,
    evaluate: (scope) => {
      const value = groupBy.evaluate(scope);
      const isBelow = compareValues(value, boundaries[0], context.collator) < 0;
      if (!isBelow && compareValues(value, boundaries[last], context.collator) < 0) {
        let low = 0;
        let high = last;
        while (high - low > 1) {
          const middle = (low + high) >> 1;
          if (compareValues(value, boundaries[middle], context.collator) < 0) high = middle;
          else low = middle;
        }
        return boundaries[low];
      }
      if (fallback !== undefined) return fallback;
      throw new CommandError(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    },
  };
}

/** {$sort: {_id: 1}} */
function sortById(context: QueryContext): PipelineStage {
  const pattern = documentOf({ _id: 1 });
  const sort = parseSort(pattern)!;
  return sortStage(pattern, sortOrderOf(sort, context), 0, documentOf({ $sort: pattern }));
}

function checkDefault(
  fallback: RawValue,
  boundaries: readonly RawValue[],
  context: QueryContext,
): void {
  const first = boundaries[0];
  const last = boundaries.at(-1);
  const inside =
    compareValues(fallback, first, context.collator) >= 0 &&
    compareValues(fallback, last, context.collator) < 0;
  if (!inside) return;
  throw new CommandError(
    40199,
    "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.",
  );
}

export const $bucket = defineStage({
  name: '$bucket',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(
        40201,
        `Argument to $bucket stage must be an object, but found type: ${argument.typeName}.`,
      );
    }
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (!['groupBy', 'boundaries', 'default', 'output'].includes(name)) {
        throw new CommandError(40197, `Unrecognized option to $bucket: ${name}.`);
      }
    }
    const groupBy = given.get('groupBy');
    if (groupBy === undefined) {
      throw new CommandError(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
    }
    checkGroupBy('$bucket', 40202, groupBy);
    const boundaries = parseBoundaries(given.get('boundaries'), context);
    const fallbackValue = given.get('default');
    const fallback = fallbackValue && constant(fallbackValue, context, 40195, "'default' field");
    if (fallback !== undefined) checkDefault(fallback, boundaries, context);
    const by = compileExpression(groupBy, context);
    const id = bucketOf(boundaries, by, fallback, context);
    const fields = outputFields('$bucket', given.get('output'), context);
    return [groupStage('$bucket', { id, fields }, shown), sortById(context)];
  },
});

function isOperatorObject(value: RawValue): boolean {
  if (value.type !== BsonType.object) return false;
  const cursor = new FieldCursor(value.asDocument());
  return cursor.next() && cursor.name.startsWith('$');
}

/** @throws unless it is a path or an expression object. */
export function checkGroupBy(stage: string, code: number, groupBy: RawValue): void {
  const isPath = groupBy.type === BsonType.string && groupBy.asString().startsWith('$');
  if (isPath || isOperatorObject(groupBy)) return;
  throw new CommandError(
    code,
    `The ${stage} 'groupBy' field must be defined as a $-prefixed path or an expression, but found: ${inspect(groupBy)}.`,
  );
}
