/**
 * What the families of keywords share: reading arguments, and building the reports of failures.
 */
import {
  ArrayBuilder,
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  stringValue,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Schema } from './schema.ts';

/** The keywords of one schema. */
export type Keywords = ReadonlyMap<string, RawValue>;

/** Parses the schemas inside a schema. */
export interface SchemaParser {
  parse(schema: Buffer): Schema;
}

export const ARRAY_TYPE: ReadonlySet<number> = new Set([BsonType.array]);
export const OBJECT_TYPE: ReadonlySet<number> = new Set([BsonType.object]);
export const STRING_TYPE: ReadonlySet<number> = new Set([BsonType.string]);
export const NUMBER_TYPES: ReadonlySet<number> = new Set([
  BsonType.double,
  BsonType.int32,
  BsonType.int64,
  BsonType.decimal128,
]);

/** @throws CommandError TypeMismatch: `$jsonSchema keyword 'name' must be <what>`. */
export function wrongType(keyword: string, what: string): CommandError {
  return new CommandError('TypeMismatch', `$jsonSchema keyword '${keyword}' must be ${what}`);
}

/** The members of a keyword that must be an array. */
export function membersOf(keyword: string, value: RawValue): RawValue[] {
  if (value.type !== BsonType.array) {
    throw wrongType(keyword, `an array, but found an element of type ${value.typeName}`);
  }
  return Array.from(fieldsOf(value.asDocument()), ([, member]) => member);
}

/** A report that quotes the keyword: `{ operatorName, specifiedAs: { keyword: argument }, ... }`. */
export function reportOf(
  keyword: string,
  argument: RawValue,
  fields: Readonly<Record<string, RawValue | string>>,
): Buffer {
  const specified = new DocumentBuilder();
  specified.append(keyword, argument);
  return plainReport(keyword, { specifiedAs: documentValue(specified.finish()), ...fields });
}

/** A report without a quotation. */
export function plainReport(
  keyword: string,
  fields: Readonly<Record<string, RawValue | string>>,
): Buffer {
  const report = new DocumentBuilder();
  report.appendString('operatorName', keyword);
  for (const [name, value] of Object.entries(fields)) {
    report.append(name, typeof value === 'string' ? stringValue(value) : value);
  }
  return report.finish();
}

/** A BSON array of strings. */
export function stringArray(texts: readonly string[]): Buffer {
  const array = new ArrayBuilder();
  for (const text of texts) array.push(stringValue(text));
  return array.finish();
}
