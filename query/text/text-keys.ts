/**
 * Keys of a text index: one per term of a document, `(ordinary fields, term, score, ordinary fields)`.
 *
 * Bytes: docs/format/index-keys.md#text.
 */
import { createHash } from 'node:crypto';
import {
  BsonType,
  type Direction,
  doubleValue,
  encodeIndexKey,
  type EncodedKey,
  forEachPathValue,
  inspect,
  NULL,
  parsePath,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { OrdinaryField, TextIndex } from './text-index.ts';
import { termScoresOf } from './term-scores.ts';

/** Longer terms are stored as a prefix and a hash, so that no key needs to be cut. Bytes. */
const MAX_TERM_BYTES = 224;

/** @returns the keys in order. @throws CommandError CannotBuildIndexKeys for an array in an ordinary field, 17261, 17262. */
export function textKeysOf(document: Buffer, index: TextIndex): EncodedKey[] {
  const before = ordinaryValues(document, index.before);
  const after = ordinaryValues(document, index.after);
  const directions = directionsOf(index);
  const keys: EncodedKey[] = [];
  for (const [term, score] of termScoresOf(document, index)) {
    const values = [...before, stringValue(storedTerm(term)), doubleValue(score), ...after];
    keys.push(encodeIndexKey(values, directions));
  }
  return keys.sort((a, b) => Buffer.compare(a.key, b.key));
}

export function directionsOf({ before, after }: TextIndex): Direction[] {
  const of = (fields: readonly OrdinaryField[]) => fields.map(({ direction }) => direction);
  return [...of(before), 1, 1, ...of(after)];
}

/** A term as keys hold it. */
export function storedTerm(term: string): string {
  if (Buffer.byteLength(term) <= MAX_TERM_BYTES) return term;
  let prefix = '';
  let bytes = 0;
  for (const character of term) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_TERM_BYTES) break;
    prefix += character;
  }
  return prefix + createHash('md5').update(term).digest('hex');
}

function ordinaryValues(document: Buffer, fields: readonly OrdinaryField[]): RawValue[] {
  return fields.map(({ path }) => {
    let found: RawValue | undefined;
    forEachPathValue(
      document,
      parsePath(path),
      (value, arrayIndex) => {
        if (arrayIndex !== undefined || value?.type === BsonType.array)
          throw arrayIn(path, document);
        found = value;
        return false;
      },
      { expandLeafArrays: false },
    );
    return found ?? NULL;
  });
}

function arrayIn(path: string, document: Buffer): CommandError {
  return new CommandError(
    'CannotBuildIndexKeys',
    `Field '${path}' of text index contains an array in document: ${inspect(document)}`,
  );
}
