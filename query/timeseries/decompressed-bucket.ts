/**
 * A bucket whose columns MongoDB has compressed (control.version 2 and 3), as this server stores buckets.
 *
 * Promises: measurements keep their order, values their types; a bucket that is not compressed comes back as it is.
 */
import {
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  getField,
  int32Value,
  type RawValue,
  setField,
  validateDocument,
} from '../../bson/index.ts';
import { BUCKET_VERSION } from './bucket-layout.ts';
import { columnBytes, columnValues, ValueBudget } from './bson-column.ts';

const COMPRESSED_VERSIONS: ReadonlySet<number> = new Set([2, 3]);

/** @throws CommandError 6067602 for columns that are none */
export function decompressedBucket(bucket: Buffer): Buffer {
  const control = getField(bucket, 'control');
  const data = getField(bucket, 'data');
  if (control?.type !== BsonType.object || data?.type !== BsonType.object) return bucket;
  const version = getField(control.asDocument(), 'version');
  if (version?.isNumber !== true || !COMPRESSED_VERSIONS.has(version.asNumber())) return bucket;
  const plain = setField(bucket, 'control', documentValue(plainControl(control)));
  const made = setField(plain, 'data', documentValue(plainColumns(data)));
  // What was inside the columns has not been looked at before.
  validateDocument(made);
  return made;
}

/** The count is only of compressed columns, which do not show it. */
function plainControl(control: RawValue): Buffer {
  const builder = new DocumentBuilder();
  for (const [name, value] of fieldsOf(control.asDocument())) {
    if (name === 'version') builder.append(name, int32Value(BUCKET_VERSION));
    else if (name !== 'count') builder.append(name, value);
  }
  return builder.finish();
}

function plainColumns(data: RawValue): Buffer {
  const builder = new DocumentBuilder();
  const budget = new ValueBudget();
  for (const [name, column] of fieldsOf(data.asDocument())) {
    const compressed = columnBytes(column);
    if (compressed === undefined) {
      builder.append(name, column);
      continue;
    }
    builder.beginDocument(name);
    for (const [row, value] of columnValues(compressed, budget).entries()) {
      if (value !== undefined) builder.append(String(row), value);
    }
    builder.end();
  }
  return builder.finish();
}
