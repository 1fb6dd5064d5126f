/**
 * Which index a hint or an index filter names, and key patterns as texts.
 */
import { fieldsOf, getField, inspect, isEmpty, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type {
  CollectionDescription,
  IndexDescription,
  IndexFieldDescription,
} from '../../storage/index.ts';
import { isHidden } from './index-usability.ts';

const SHOWN_PATTERNS = new WeakMap<IndexDescription, string>();

/** `{ a: 1, b: -1 }` */
export function showKeyPattern(index: IndexDescription): string {
  let shown = SHOWN_PATTERNS.get(index);
  if (shown === undefined) {
    shown = `{ ${index.fields.map(showField).join(', ')} }`;
    SHOWN_PATTERNS.set(index, shown);
  }
  return shown;
}

function showField({ path, direction, kind }: IndexFieldDescription): string {
  return `${path}: ${kind === 'ordered' || kind === 'wildcard' ? direction : inspect(stringValue(kind))}`;
}

/**
 * The index that a hint names.
 * @returns 'natural' directions as numbers. @throws BadValue when there is no such index.
 */
export function resolveHint(
  hint: string | Buffer | undefined,
  collection: CollectionDescription,
): IndexDescription | { readonly natural: 1 | -1 } | undefined {
  if (hint === undefined || (typeof hint !== 'string' && isEmpty(hint))) return undefined;
  if (typeof hint !== 'string') {
    const natural = getField(hint, '$natural');
    if (natural !== undefined) return { natural: natural.asNumber() < 0 ? -1 : 1 };
  } else if (hint === '$natural') return { natural: 1 };
  const found = collection.indexes.find(
    (index) =>
      index.ready &&
      !isHidden(index) &&
      (typeof hint === 'string' ? index.name === hint : hasKeyPattern(index, hint)),
  );
  if (found === undefined) {
    throw new CommandError(
      'BadValue',
      `error processing query: ns=${collection.namespace}: planner returned error :: caused by :: hint provided does not correspond to an existing index`,
    );
  }
  return found;
}

/** Whether a pattern names the index: {a: 1} is {a: 1.0} too. */
export function hasKeyPattern(index: IndexDescription, pattern: Buffer): boolean {
  const key = getField(index.spec, 'key')?.asDocument();
  if (key?.equals(pattern) === true) return true;
  return index.fields.length > 0 && showKeyPattern(index) === showPattern(pattern);
}

function showPattern(pattern: Buffer): string {
  const fields = Array.from(fieldsOf(pattern), ([path, value]) => `${path}: ${inspect(value)}`);
  return `{ ${fields.join(', ')} }`;
}
