/**
 * Smallest and largest values of a bucket's fields: of scalars in MongoDB's order, of objects and arrays part by part.
 *
 * Owns: joining a value into a minimum or maximum, and the rule that makes such parts meaningful: on one path a bucket
 * holds only objects, only arrays, or only other values (`fitsShape`).
 * Source: MongoDB's manual, "Time Series Collections"; docs/format/timeseries-buckets.md.
 */
import {
  arrayValue,
  BsonType,
  compareValues,
  DocumentBuilder,
  documentValue,
  FieldCursor,
  type RawValue,
} from '../../bson/index.ts';

/** Which extreme is kept: the smallest or the largest value. */
export type Extreme = 'min' | 'max';

/** The shape of a value that decides how extremes are joined. */
function isContainer(type: number): boolean {
  return type === BsonType.object || type === BsonType.array;
}

/** Whether `value` may stand in a bucket whose values on this path have made the extreme `known`. */
export function fitsShape(known: RawValue, value: RawValue): boolean {
  if (!isContainer(known.type) && !isContainer(value.type)) return true;
  if (known.type !== value.type) return false;
  const parts = partsOf(known);
  const cursor = new FieldCursor(value.bytes, value.start);
  while (cursor.next()) {
    const part = parts.get(cursor.name);
    if (part !== undefined && !fitsShape(part, cursor.value())) return false;
  }
  return true;
}

function partsOf(container: RawValue): Map<string, RawValue> {
  const parts = new Map<string, RawValue>();
  const cursor = new FieldCursor(container.bytes, container.start);
  while (cursor.next()) {
    if (!parts.has(cursor.name)) parts.set(cursor.name, cursor.value());
  }
  return parts;
}

/** The extreme of what `known` stands for and `value`, which fits its shape. The same object when nothing changes. */
export function joinExtreme(known: RawValue, value: RawValue, extreme: Extreme): RawValue {
  if (isContainer(known.type)) return joinParts(known, value, extreme);
  const difference = compareValues(value, known);
  return (extreme === 'min' ? difference < 0 : difference > 0) ? value : known;
}

function joinParts(known: RawValue, value: RawValue, extreme: Extreme): RawValue {
  const parts = partsOf(known);
  let changed = false;
  const cursor = new FieldCursor(value.bytes, value.start);
  while (cursor.next()) {
    const { name } = cursor;
    const part = parts.get(name);
    const joined = part === undefined ? cursor.value() : joinExtreme(part, cursor.value(), extreme);
    if (joined === part) continue;
    changed = true;
    parts.set(name, joined);
  }
  if (!changed) return known;
  const builder = new DocumentBuilder(known.end - known.start + 64);
  for (const [name, part] of parts) builder.append(name, part);
  const joined = builder.finish();
  return known.type === BsonType.array ? arrayValue(joined) : documentValue(joined);
}
