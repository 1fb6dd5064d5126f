/**
 * The door of bson/: raw documents and values.
 */
export {
  BsonType,
  BSON_TYPES,
  isBsonType,
  typeNameOf,
  typeOrderOf,
  type BsonTypeCode,
  type BsonTypeName,
} from './types.ts';
export { RawValue } from './raw-value.ts';
export {
  FALSE,
  MAX_KEY,
  MIN_KEY,
  NULL,
  TRUE,
  UNDEFINED_VALUE,
  arrayValue,
  binaryValue,
  booleanValue,
  dateValue,
  dbPointerValue,
  decimalValue,
  documentValue,
  doubleValue,
  int32Value,
  int64Value,
  integerValue,
  javascriptValue,
  javascriptWithScopeValue,
  objectIdValue,
  rawValueFrom,
  rawValueOf,
  regexValue,
  stringValue,
  symbolValue,
  timestampValue,
} from './values.ts';
export { FieldCursor } from './field-cursor.ts';
export {
  EMPTY_DOCUMENT,
  fieldCount,
  fieldsOf,
  firstFieldName,
  getField,
  getFieldAt,
  isEmpty,
} from './fields.ts';
export { ArrayBuilder, DocumentBuilder, indexName, MAX_BUILT_BYTES } from './builder.ts';
export { Decimal, type DecimalRounding } from './decimal.ts';
