/**
 * How update errors show documents and fields.
 */
import { getField, inspect, type RawValue } from '../../bson/index.ts';

/** `{_id: 1}`: names the document in a message. */
export function describeDocument(document: Buffer): string {
  return `{${describeId(document)}}`;
}

/** `_id: 1`, or that there is none. */
export function describeId(document: Buffer): string {
  const id = getField(document, '_id');
  return id === undefined ? 'no id' : describeField('_id', id);
}

/** `name: value`. */
export function describeField(name: string, value: RawValue): string {
  return `${name}: ${inspect(value)}`;
}

/** The last name of a dotted path. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
