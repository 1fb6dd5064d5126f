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
  dateBigIntValue,
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
export type { Collator } from './collator.ts';
export {
  binaryEqual,
  compareDocuments,
  compareValues,
  compareWithMissing,
  valuesEqual,
} from './compare.ts';
export { compareDecimalToDouble, compareDoubles, compareNumbers } from './compare-numbers.ts';
export {
  arrayIndexOf,
  forEachPathValue,
  getPath,
  parsePath,
  type FieldPath,
  type PathVisitor,
  type PathWalkOptions,
} from './path.ts';
export { MAX_MESSAGE_LEVELS, validateDocument, type ValidationOptions } from './validate.ts';
export { replaceBytes, setField, unsetField, withIdFirst } from './splice.ts';
export { appendPlain, documentOf, type PlainValue } from './document-of.ts';
export { newObjectIdBytes, ObjectIdGenerator } from './object-id.ts';
export { inspect, uuidText } from './inspect.ts';
export { readInt32, readInt64AsNumber, readUint32 } from './scalars.ts';
export { valueEndOf } from './value-size.ts';
export { canonicalKey } from './canonical-key.ts';
export { encodeIndexKey, successorOfPrefix, type Direction, type EncodedKey } from './index-key.ts';
export { decodeIndexKey } from './index-key-decode.ts';
export { compareByteRanges } from './byte-order.ts';
export { KeyPaths } from './index-key-values.ts';
export {
  type ArrayComponents,
  includesMultikeyPaths,
  isMultikey,
  type MultikeyPaths,
  noMultikeyPaths,
  uniteMultikeyPaths,
} from './multikey-paths.ts';
export {
  compileIndexKeys,
  type IndexField,
  type IndexKeyGenerator,
  type IndexKeyOptions,
  type IndexKeys,
  sortedWithoutDuplicates,
} from './index-key-generator.ts';
export { compileSort, SortKeyPattern } from './sort-key.ts';
export { toExtendedJson, toExtendedJsonText, type ExtendedJsonOptions } from './extended-json.ts';
export { hashValue } from './hash-value.ts';
export { parseExtendedJson, parseExtendedJsonValue } from './extended-json-parse.ts';
