/**
 * Whether a document is a bucket that queries may rely on: for buckets that others than this server's own insert write, and
 * for validate.
 */
import { BsonType, FieldCursor, type RawValue } from '../../bson/index.ts';
import { bucketParts, idSecondsOf, rowsOfColumn, timesOfBucket } from './bucket-layout.ts';
import { fitsShape, joinExtreme } from './min-max.ts';
import type { TimeseriesOptions } from './options.ts';

/**
 * What is wrong with a bucket, in words; undefined when nothing is.
 * @throws CommandError for what has no bucket's parts, or a layout that is not read here.
 */
export function bucketProblem(bucket: Buffer, options: TimeseriesOptions): string | undefined {
  const parts = bucketParts(bucket);
  const times = timesOfBucket(parts, options.timeField);
  if (times === undefined) return 'control.min and control.max do not name its first and last time';
  if (times.maxMs - times.minMs >= options.bucketMaxSpanSeconds * 1000) {
    return 'it spans more time than its collection allows';
  }
  if (parts.id.type !== BsonType.objectId) return 'its _id is no ObjectId';
  if (parts.id.bytes.readUInt32BE(parts.id.start) !== idSecondsOf(times.minMs)) {
    return 'its _id does not begin with the second of control.min';
  }
  const columns = namedValues(parts.data);
  const timeColumn = columns.get(options.timeField);
  const rows = timeColumn?.type === BsonType.object ? rowsOfColumn(timeColumn) : 0;
  if (rows === 0) return 'it holds no measurement';
  const mins = namedValues(parts.min);
  const maxs = namedValues(parts.max);
  for (const [name, column] of columns) {
    if (name === options.metaField) return `its data has a column for the metaField '${name}'`;
    if (column.type !== BsonType.object) return `the column '${name}' is no object`;
    const min = mins.get(name);
    const max = maxs.get(name);
    if (min === undefined || max === undefined) return `the column '${name}' lacks its extremes`;
    const isTime = name === options.timeField;
    const problem = columnProblem(column, { min, max, rows, isTime });
    if (problem !== undefined) return `the column '${name}' ${problem}`;
  }
  return undefined;
}

interface ColumnFacts {
  readonly min: RawValue;
  readonly max: RawValue;
  /** Measurements of the bucket. */
  readonly rows: number;
  readonly isTime: boolean;
}

function columnProblem(
  column: RawValue,
  { min, max, rows, isTime }: ColumnFacts,
): string | undefined {
  const cursor = new FieldCursor(column.bytes, column.start);
  let row = -1;
  while (cursor.next()) {
    const next = Number(cursor.name);
    if (!Number.isInteger(next) || next <= row || next >= rows) return 'does not number its values';
    if (isTime && next !== row + 1) return 'leaves out a measurement';
    if (isTime && cursor.type !== BsonType.date) return 'holds another value than dates';
    row = next;
    const value = cursor.value();
    if (!fitsShape(min, value)) return 'mixes objects or arrays with other values';
    if (joinExtreme(min, value, 'min') !== min) return 'holds a value below control.min';
    if (joinExtreme(max, value, 'max') !== max) return 'holds a value above control.max';
  }
  return undefined;
}

function namedValues(document: RawValue): Map<string, RawValue> {
  const values = new Map<string, RawValue>();
  const cursor = new FieldCursor(document.bytes, document.start);
  while (cursor.next()) values.set(cursor.name, cursor.value());
  return values;
}
