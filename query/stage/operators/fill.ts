/**
 * $fill: puts values where fields are null or missing: fixed ones, the last one, or ones on a straight line.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  fieldsOf,
  isEmpty,
  type RawValue,
  stringValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { idlArguments } from '../arguments.ts';
import { defineStage, type PipelineStage } from '../definition.ts';
import { compileFieldTree, fieldTreeMap } from '../field-tree.ts';
import { mapStage } from '../map-stage.ts';
import {
  compilePartition,
  compileWindowField,
  operatorValue,
  type SortBy,
  sortByOf,
  type WindowField,
  windowStage,
} from './set-window-fields.ts';

const OPERATOR_OF: Readonly<Record<string, string>> = { linear: '$linearFill', locf: '$locf' };

function partitionExpression(
  given: ReadonlyMap<string, RawValue>,
  context: QueryContext,
): Expression | undefined {
  const by = given.get('partitionBy');
  const fields = given.get('partitionByFields');
  if (by !== undefined && fields !== undefined) {
    throw new CommandError(
      6050204,
      "Maximum one of 'partitionBy' and 'partitionByFields can be specified in '$fill'",
    );
  }
  if (by !== undefined) {
    return compilePartition(by, context);
  }
  return fields === undefined ? undefined : compileExpression(pathsObject(fields), context);
}

/** {a: '$a', 'b.c' under a plain name}: one member per path, named by its position. */
export function pathsObject(paths: RawValue): RawValue {
  const builder = new DocumentBuilder();
  elementsOf(paths).forEach((path, index) => {
    builder.appendString(`p${index}`, `$${path.asString()}`);
  });
  return documentValue(builder.finish());
}

interface Output {
  readonly windows: readonly WindowField[];
  /** {field: {$ifNull: ['$field', value]}} */
  readonly values: Buffer | undefined;
}

function parseOutput(output: RawValue, sortBy: SortBy, context: QueryContext): Output {
  const windows: WindowField[] = [];
  const values = new DocumentBuilder();
  let hasValues = false;
  for (const [path, rule] of fieldsOf(output.asDocument())) {
    if (rule.type !== BsonType.object) {
      throw new CommandError(
        6050200,
        'Each fill output specification must be an object with exactly one field',
      );
    }
    const given = idlArguments('$fill', rule, { value: 'any', method: 'string' });
    const method = given.get('method')?.asString();
    const value = given.get('value');
    if (method !== undefined) {
      if (value !== undefined) {
        throw new CommandError(
          6050201,
          "Each fill output specification must have exactly one of 'method' or 'value' fields, not both",
        );
      }
      const operator = OPERATOR_OF[method];
      if (operator === undefined) {
        throw new CommandError(6050202, `Method must be either locf or linear, not ${method}`);
      }
      const use = operatorValue(operator, stringValue(`$${path}`));
      windows.push(compileWindowField(path, use, sortBy, context));
    }
    if (value !== undefined) {
      values.append(path, ifNull(path, value));
      hasValues = true;
    }
  }
  return { windows, values: hasValues ? values.finish() : undefined };
}

function ifNull(path: string, value: RawValue): RawValue {
  const operands = new ArrayBuilder()
    .push(stringValue(`$${path}`))
    .push(value)
    .finish();
  return documentValue(documentOf({ $ifNull: arrayValue(operands) }));
}

export const $fill = defineStage({
  name: '$fill',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    const given = idlArguments('$fill', argument, {
      partitionBy: 'object or string',
      partitionByFields: 'array of strings',
      sortBy: 'object',
      'output!': 'object',
    });
    const output = given.get('output')!;
    if (isEmpty(output.asDocument())) {
      throw new CommandError(
        6050203,
        "The output field in '$fill' must contain an object with at least one element",
      );
    }
    const sortBy = sortByOf(given.get('sortBy'), context);
    const { windows, values } = parseOutput(output, sortBy, context);
    const partitionBy = partitionExpression(given, context);
    const stages: PipelineStage[] = [];
    if (windows.length > 0) {
      stages.push(windowStage('$fill', { ...sortBy, partitionBy, fields: windows }, shown));
    }
    if (values !== undefined) {
      const fields = compileFieldTree(values, context);
      stages.push(mapStage('$fill', shown, () => fieldTreeMap(fields)));
    }
    return stages;
  },
});
