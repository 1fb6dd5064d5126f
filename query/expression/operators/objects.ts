/**
 * Objects: merging, taking apart, putting together, single fields by computed names.
 */
import {
  BsonType,
  documentOf,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  getField,
  inspect,
  NULL,
  type RawValue,
  setField,
  stringValue,
  unsetField,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
  type Value,
} from '../definition.ts';
import { arrayOf, elementsOf } from '../elements.ts';
import type { Expression } from '../expression.ts';
import { namedArguments } from '../named-arguments.ts';
import { isArray, isNullish, isObject, isString, typeNameOf } from '../types.ts';

function mergeObjects(values: readonly Value[]): Value {
  const [only] = values;
  const objects = values.length === 1 && isArray(only) ? elementsOf(only) : values;
  const fields = new Map<string, RawValue>();
  for (const object of objects) {
    if (isNullish(object)) continue;
    if (object.type !== BsonType.object) {
      throw new CommandError(
        40400,
        `$mergeObjects requires object inputs, but input ${inspect(object)} is of type ${typeNameOf(object)}`,
      );
    }
    for (const [name, value] of fieldsOf(object.asDocument())) fields.set(name, value);
  }
  return objectOf(fields);
}

function objectOf(fields: Iterable<readonly [string, RawValue]>): RawValue {
  const builder = new DocumentBuilder();
  for (const [name, value] of fields) builder.append(name, value);
  return documentValue(builder.finish());
}

function objectToArray(value: RawValue): Value {
  if (value.type !== BsonType.object) {
    throw new CommandError(
      40390,
      `$objectToArray requires a document input, found: ${typeNameOf(value)}`,
    );
  }
  return arrayOf(
    Array.from(fieldsOf(value.asDocument()), ([name, field]) =>
      documentValue(documentOf({ k: stringValue(name), v: field })),
    ),
  );
}

function arrayToObject(value: RawValue): Value {
  if (value.type !== BsonType.array) {
    throw new CommandError(
      40386,
      `$arrayToObject requires an array input, found: ${typeNameOf(value)}`,
    );
  }
  const fields = new Map<string, RawValue>();
  let form: 'pairs' | 'objects' | undefined;
  for (const entry of elementsOf(value)) {
    const here = formOf(entry);
    if (form !== undefined && form !== here) throw mixedForms(form, entry);
    if (here === undefined) {
      throw new CommandError(
        40398,
        `Unrecognised input type format for $arrayToObject: ${typeNameOf(entry)}`,
      );
    }
    form = here;
    const [name, field] = here === 'pairs' ? pairOf(entry) : keyAndValueOf(entry);
    fields.set(name, field);
  }
  return objectOf(fields);
}

function formOf(entry: RawValue): 'pairs' | 'objects' | undefined {
  if (entry.type === BsonType.array) return 'pairs';
  return entry.type === BsonType.object ? 'objects' : undefined;
}

function mixedForms(form: 'pairs' | 'objects', entry: RawValue): CommandError {
  return form === 'pairs'
    ? new CommandError(
        40396,
        `$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. Array was detected, now found: ${typeNameOf(entry)}`,
      )
    : new CommandError(
        40391,
        `$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. Object was detected, now found: ${typeNameOf(entry)}`,
      );
}

function pairOf(entry: RawValue): [string, RawValue] {
  const pair = elementsOf(entry);
  if (pair.length !== 2) {
    throw new CommandError(
      40397,
      `$arrayToObject requires an array of size 2 arrays,found array of size: ${pair.length}`,
    );
  }
  if (!isString(pair[0])) {
    throw new CommandError(
      40395,
      `$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: ${typeNameOf(pair[0])}`,
    );
  }
  return [nameFrom(pair[0], 4940400), pair[1]];
}

function keyAndValueOf(entry: RawValue): [string, RawValue] {
  const document = entry.asDocument();
  const fields = [...fieldsOf(document)];
  if (fields.length !== 2) {
    throw new CommandError(
      40392,
      `$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:${fields.length}`,
    );
  }
  const key = getField(document, 'k');
  const value = getField(document, 'v');
  if (key === undefined || value === undefined) {
    throw new CommandError(
      40393,
      `$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: ${inspect(entry)}`,
    );
  }
  if (!isString(key)) {
    throw new CommandError(
      40394,
      `$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: ${typeNameOf(key)}`,
    );
  }
  return [nameFrom(key, 4940401), value];
}

function nameFrom(key: RawValue, code: number): string {
  const name = key.asString();
  if (!name.includes('\0')) return name;
  throw new CommandError(code, 'Key field cannot contain an embedded null byte');
}

/** Whether it is written as a constant: what only computes to one is not. */
function isWrittenConstant(field: RawValue): boolean {
  if (field.type === BsonType.array) return false;
  if (field.type !== BsonType.object) return true;
  const [first] = fieldsOf(field.asDocument());
  return first !== undefined && (first[0] === '$literal' || first[0] === '$const');
}

/** The constant name of a field; {$literal: ...} is allowed, paths are not. */
function constantName(name: string, code: number, field: RawValue, compiler: ExpressionCompiler) {
  const expression = compiler.compile(field);
  const value = expression.constant?.value;
  if (expression.constant === undefined || !isWrittenConstant(field)) {
    throw new CommandError(
      isWrittenConstant(field) ? 4161108 : 4161106,
      `${name} requires 'field' to evaluate to a constant, but got a non-constant argument`,
    );
  }
  if (!isString(value)) {
    throw new CommandError(
      code,
      `${name} requires 'field' to evaluate to type String, but got ${typeNameOf(value)}`,
    );
  }
  return value.asString();
}

function compileGetField(argument: RawValue, compiler: ExpressionCompiler): Expression {
  let field = argument;
  let inputArgument: RawValue | undefined;
  if (argument.type === BsonType.object) {
    const first = [...fieldsOf(argument.asDocument())][0]?.[0];
    if (first === undefined || !first.startsWith('$')) {
      const given = namedArguments(argument, {
        name: '$getField',
        required: ['field', 'input'],
        codes: { notObject: 3041704, unknown: 3041701, missing: [3041702, 3041703] },
      });
      field = given.get('field')!;
      inputArgument = given.get('input');
    }
  }
  const name = compiler.compile(field);
  if (name.constant !== undefined && !isString(name.constant.value)) {
    throw new CommandError(
      5654602,
      `$getField requires 'field' to evaluate to type String, but got ${typeNameOf(name.constant.value)}`,
    );
  }
  const input = compiler.compile(inputArgument ?? stringValue('$$CURRENT'));
  return compiler.combine([name, input], (scope) => {
    const key = name.evaluate(scope);
    if (!isString(key)) {
      throw new CommandError(
        3041704,
        `$getField requires 'field' to evaluate to type String, but got ${typeNameOf(key)}`,
      );
    }
    const value = input.evaluate(scope);
    if (value === undefined) return undefined;
    if (value.isNullish) return NULL;
    return isObject(value) ? getField(value.asDocument(), key.asString()) : undefined;
  });
}

function compileSetField(
  name: '$setField' | '$unsetField',
  argument: RawValue,
  compiler: ExpressionCompiler,
): Expression {
  const given = namedArguments(argument, {
    name,
    required: name === '$setField' ? ['field', 'value', 'input'] : ['field', 'input'],
    codes: {
      notObject: 4161100,
      unknown: 4161101,
      missing: name === '$setField' ? [4161102, 4161103, 4161109] : [4161102, 4161109],
    },
  });
  const field = constantName(name, 4161107, given.get('field')!, compiler);
  const input = compiler.compile(given.get('input')!);
  const valueArgument = given.get('value');
  const value =
    valueArgument === undefined ? compiler.constant(undefined) : compiler.compile(valueArgument);
  return compiler.combine([input, value], (scope) => {
    const object = input.evaluate(scope);
    if (isNullish(object)) return NULL;
    if (object.type !== BsonType.object) {
      throw new CommandError(
        4161105,
        `${name} requires 'input' to evaluate to type Object, but got ${typeNameOf(object)}`,
      );
    }
    const written = value.evaluate(scope);
    return documentValue(
      written === undefined
        ? unsetField(object.asDocument(), field)
        : setField(object.asDocument(), field, written),
    );
  });
}

export const OBJECTS: readonly ExpressionDefinition[] = [
  defineExpression({
    name: '$mergeObjects',
    isLong: true,
    args: [0, Infinity],
    nullish: 'pass',
    evaluate: mergeObjects,
  }),
  defineExpression({
    name: '$objectToArray',
    isLong: true,
    args: 1,
    nullish: 'null',
    evaluate: objectToArray,
  }),
  defineExpression({
    name: '$arrayToObject',
    isLong: true,
    args: 1,
    nullish: 'null',
    evaluate: arrayToObject,
  }),
  defineExpression({ name: '$getField', args: 'special', compile: compileGetField }),
  defineExpression({
    name: '$setField',
    args: 'special',
    compile: (argument, compiler) => compileSetField('$setField', argument, compiler),
  }),
  defineExpression({
    name: '$unsetField',
    args: 'special',
    compile: (argument, compiler) => compileSetField('$unsetField', argument, compiler),
  }),
];
