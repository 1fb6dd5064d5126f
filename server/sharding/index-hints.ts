/**
 * The part of query settings that a shard applies: which indexes queries of one shape may use, by collection.
 *
 * Routers keep the settings, find those of a query, and send them along (`querySettings`).
 * Source: MongoDB's manual, "setQuerySettings".
 */
import { BsonType, fieldsOf, getField, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';

/** Names or key patterns by "database.collection". */
export type IndexHints = ReadonlyMap<string, readonly (string | Buffer)[]>;

/** @param settings as setQuerySettings takes them. @throws CommandError for what is wrong with them */
export function indexHintsIn(settings: Buffer): IndexHints | undefined {
  const given = getField(settings, 'indexHints');
  if (given === undefined) return undefined;
  const hints = new Map<string, readonly (string | Buffer)[]>();
  for (const hint of listOf(given)) {
    const ns = getField(hint, 'ns');
    const db = textIn(ns, 'db');
    const coll = textIn(ns, 'coll');
    if (db === undefined) {
      throw new CommandError(8_727_500, "invalid index hint: 'ns.db' field is missing");
    }
    if (coll === undefined) {
      throw new CommandError(8_727_501, "invalid index hint: 'ns.coll' field is missing");
    }
    const namespace = `${db}.${coll}`;
    if (hints.has(namespace)) {
      throw new CommandError(
        7_746_608,
        `Collection '${namespace}' has already index hints specified`,
      );
    }
    hints.set(namespace, indexesIn(getField(hint, 'allowedIndexes')));
  }
  return hints;
}

/** One document, or an array of them. */
function listOf(value: RawValue): Buffer[] {
  if (value.type === BsonType.object) return [value.asDocument()];
  if (value.type !== BsonType.array) throw wrongType('indexHints', value, 'array or object');
  return Array.from(fieldsOf(value.asDocument()), ([, each]: [string, RawValue]) => {
    if (each.type === BsonType.object) return each.asDocument();
    throw wrongType('indexHints', each, 'object');
  });
}

function indexesIn(value: RawValue | undefined): readonly (string | Buffer)[] {
  if (value?.type !== BsonType.array) throw wrongType('allowedIndexes', value, 'array');
  return Array.from(fieldsOf(value.asDocument()), ([, each]: [string, RawValue]) => {
    if (each.type === BsonType.string) return each.asString();
    if (each.type === BsonType.object) return Buffer.from(each.asDocument());
    throw wrongType('allowedIndexes', each, 'string or object');
  });
}

function textIn(value: RawValue | undefined, name: string): string | undefined {
  const field = value?.type === BsonType.object ? getField(value.asDocument(), name) : undefined;
  return field?.type === BsonType.string ? field.asString() : undefined;
}

function wrongType(name: string, value: RawValue | undefined, expected: string): CommandError {
  return new CommandError(
    'TypeMismatch',
    `BSON field '${name}' is the wrong type '${value?.typeName ?? 'missing'}', expected type '${expected}'`,
  );
}
