/**
 * Fields of a stage's output that are copies of fields of its input: {total: '$amount'}.
 */
import { BsonType, fieldsOf } from '../../bson/index.ts';

/** @returns for an output field the input field that it is a whole copy of; undefined for what is computed. */
export function renamedFields(specification: Buffer): (name: string) => string | undefined {
  const sources = new Map<string, string>();
  for (const [name, value] of fieldsOf(specification)) {
    if (name.includes('.') || value.type !== BsonType.string) continue;
    const source = value.asString().slice(1);
    // A path of several parts means other values in a condition, where it leads through arrays, than in an expression.
    const isField = value.asString().startsWith('$') && source !== '' && !/[$.]/.test(source);
    if (isField) sources.set(name, source);
  }
  return (name) => sources.get(name);
}
