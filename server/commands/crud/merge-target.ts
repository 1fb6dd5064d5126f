/**
 * Whether a pipeline writes into what it reads.
 */
import { BsonType, firstFieldName, getField, type RawValue } from '../../../bson/index.ts';
import { involvedNamespaces } from '../../../query/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';

/**
 * Its last stage is $merge into a collection that it reads: a scan that saw what $merge inserts might never end.
 * @param sources the collection of the pipeline, under its own name and, for a view, that of the collection below
 */
export function mergesIntoItsInput(
  pipeline: readonly Buffer[],
  sources: readonly string[],
): boolean {
  const last = pipeline.at(-1);
  const argument = last === undefined ? undefined : getField(last, '$merge');
  if (last === undefined || argument === undefined || firstFieldName(last) !== '$merge')
    return false;
  const { database } = splitNamespace(sources[0]);
  const target = targetOf(argument, database);
  return sources.includes(target) || involvedNamespaces(pipeline, database).includes(target);
}

function targetOf(argument: RawValue, database: string): string {
  if (argument.type === BsonType.string) return `${database}.${argument.asString()}`;
  const into =
    argument.type === BsonType.object ? getField(argument.asDocument(), 'into') : undefined;
  if (into?.type === BsonType.string) return `${database}.${into.asString()}`;
  if (into?.type !== BsonType.object) return '';
  const fields = into.asDocument();
  return `${getField(fields, 'db')?.asString() ?? database}.${getField(fields, 'coll')?.asString() ?? ''}`;
}
