/**
 * The meta value that names a series: two values that differ only in the order of fields are one series.
 *
 * Source: MongoDB's manual, "Time Series Collections": metaField.
 */
import {
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  type RawValue,
} from '../../bson/index.ts';

/** The value as buckets hold it: fields of objects in the order of their names. The same value when they are. */
export function normalizedMeta(meta: RawValue): RawValue {
  if (meta.type !== BsonType.object && meta.type !== BsonType.array) return meta;
  const fields = [...fieldsOf(meta.asDocument())].map(
    ([name, value]) => [name, normalizedMeta(value)] as const,
  );
  if (meta.type === BsonType.object) fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const builder = new DocumentBuilder(meta.end - meta.start);
  for (const [name, value] of fields) builder.append(name, value);
  const normalized = builder.finish();
  return meta.type === BsonType.array ? arrayValue(normalized) : documentValue(normalized);
}

/** Equal for the meta values of one series, and only for those: type and bytes. Of a missing value: the empty text. */
export function seriesKey(meta: RawValue | undefined): string {
  if (meta === undefined) return '';
  return String.fromCharCode(meta.type) + meta.bytes.toString('latin1', meta.start, meta.end);
}
