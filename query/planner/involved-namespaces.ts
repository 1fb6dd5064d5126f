/**
 * The other collections and views that a pipeline reads, found in the stages as they are written.
 */
import { BsonType, fieldsOf, firstFieldName, getField, type RawValue } from '../../bson/index.ts';

/**
 * Namespaces named by $lookup, $graphLookup and $unionWith, also inside their own pipelines and $facet's.
 * @param database of the collection that the pipeline runs on
 */
export function involvedNamespaces(pipeline: readonly Buffer[], database: string): string[] {
  return pipeline.flatMap((stage) => {
    const name = firstFieldName(stage);
    const argument = name === undefined ? undefined : getField(stage, name);
    if (name === undefined || argument === undefined) return [];
    return involvedInStage(name, argument, database);
  });
}

/**
 * Where $out or $merge, the last stage, writes to; undefined without one, and for one that is malformed.
 * @param database of the collection that the pipeline runs on
 */
export function outputNamespace(pipeline: readonly Buffer[], database: string): string | undefined {
  const last = pipeline.at(-1);
  const name = last === undefined ? undefined : firstFieldName(last);
  const argument = last === undefined || name === undefined ? undefined : getField(last, name);
  if (argument === undefined || (name !== '$out' && name !== '$merge')) return undefined;
  const isNested = name === '$merge' && argument.type === BsonType.object;
  const into = isNested ? (getField(argument.asDocument(), 'into') ?? argument) : argument;
  if (into.type === BsonType.string) return `${database}.${into.asString()}`;
  if (into.type !== BsonType.object) return undefined;
  const db = getField(into.asDocument(), 'db');
  const coll = getField(into.asDocument(), 'coll');
  if (coll?.type !== BsonType.string) return undefined;
  return `${db?.type === BsonType.string ? db.asString() : database}.${coll.asString()}`;
}

function involvedInStage(name: string, argument: RawValue, database: string): string[] {
  if (name === '$unionWith' && argument.type === BsonType.string) {
    return [`${database}.${argument.asString()}`];
  }
  if (argument.type !== BsonType.object) return [];
  const fields = argument.asDocument();
  switch (name) {
    case '$lookup':
      return [
        ...namespaceOf(getField(fields, 'from'), database),
        ...involvedNamespaces(stagesOf(getField(fields, 'pipeline')), database),
      ];
    case '$graphLookup':
      return namespaceOf(getField(fields, 'from'), database);
    case '$unionWith':
      return [
        ...namespaceOf(getField(fields, 'coll'), database),
        ...involvedNamespaces(stagesOf(getField(fields, 'pipeline')), database),
      ];
    case '$facet':
      return Array.from(fieldsOf(fields), ([, value]) => value).flatMap((value) =>
        involvedNamespaces(stagesOf(value), database),
      );
    default:
      return [];
  }
}

function namespaceOf(value: RawValue | undefined, database: string): string[] {
  if (value?.type === BsonType.string) return [`${database}.${value.asString()}`];
  if (value?.type !== BsonType.object) return [];
  const db = getField(value.asDocument(), 'db');
  const coll = getField(value.asDocument(), 'coll');
  return db?.type === BsonType.string && coll?.type === BsonType.string
    ? [`${db.asString()}.${coll.asString()}`]
    : [];
}

/** The documents of an array of stages; nothing for what is no such array. */
export function stagesOf(value: RawValue | undefined): Buffer[] {
  if (value?.type !== BsonType.array) return [];
  const stages: Buffer[] = [];
  for (const [, stage] of fieldsOf(value.asDocument())) {
    if (stage.type === BsonType.object) stages.push(stage.asDocument());
  }
  return stages;
}
