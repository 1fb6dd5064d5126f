/**
 * Whether what an upsert would insert has the shard key that its filter names. If so the shard of that key can do it all; if not, what
 * is inserted belongs where its own key says.
 */
import {
  BsonType,
  fieldsOf,
  firstFieldName,
  getField,
  setField,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { ShardKeyPattern } from '../../server/cluster.ts';

export interface UpsertByKey {
  readonly update: RawValue | undefined;
  readonly filter: Buffer;
  readonly pattern: ShardKeyPattern;
  /** Of the filter: its values as the pattern's text has them, hashes hashed. */
  readonly key: readonly RawValue[];
}

/** @returns false also when that cannot be told without making the document */
export function keepsKey({ update, filter, pattern, key }: UpsertByKey): boolean {
  // A pipeline may make anything of it.
  if (update?.type !== BsonType.object) return false;
  const document = update.asDocument();
  if (firstFieldName(document)?.startsWith('$') !== true) {
    return textOf(pattern, withIdOf(document, filter)) === pattern.textOf(key);
  }
  for (const [operator, fields] of fieldsOf(document)) {
    if (fields.type !== BsonType.object) continue;
    for (const [path, value] of fieldsOf(fields.asDocument())) {
      if (touches(pattern, path)) return false;
      if (operator === '$rename' && value.typeName === 'string') {
        if (touches(pattern, value.asString())) return false;
      }
    }
  }
  return true;
}

function touches(pattern: ShardKeyPattern, path: string): boolean {
  return pattern.fields.some(
    ({ path: { text } }) =>
      text === path || text.startsWith(`${path}.`) || path.startsWith(`${text}.`),
  );
}

/** A replacement without an _id gets the one that the filter names. */
function withIdOf(document: Buffer, filter: Buffer): Buffer {
  const named = getField(filter, '_id');
  if (named === undefined || getField(document, '_id') !== undefined) return document;
  const equal = named.type === BsonType.object ? getField(named.asDocument(), '$eq') : undefined;
  return setField(document, '_id', equal ?? named);
}

function textOf(pattern: ShardKeyPattern, document: Buffer): string | undefined {
  try {
    return pattern.keyOf(document).text;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
