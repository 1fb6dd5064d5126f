/**
 * The strings of a document that a text index covers, each with its weight and language.
 *
 * Promises: a language override counts for the document it stands in and those inside it.
 */
import { BsonType, FieldCursor, getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { findLanguage, type TextLanguage } from './language.ts';
import { DEFAULT_WEIGHT, type TextIndex } from './text-index.ts';

export interface TextElement {
  readonly text: string;
  readonly language: TextLanguage;
  readonly weight: number;
}

/** @throws CommandError 17261, 17262 for a language override that names no language. */
export function* textElementsOf(document: Buffer, index: TextIndex): Generator<TextElement> {
  yield* elementsIn(document, index, { path: '', isArray: false, language: index.defaultLanguage });
}

interface Place {
  readonly path: string;
  readonly isArray: boolean;
  readonly language: TextLanguage;
}

function* elementsIn(document: Buffer, index: TextIndex, place: Place): Generator<TextElement> {
  const language = languageOf(document, index, place);
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    const { type } = cursor;
    if (type !== BsonType.string && type !== BsonType.object && type !== BsonType.array) continue;
    const { name } = cursor;
    // With all strings indexed the name of the language would be one of them.
    if (index.wildcard && name === index.languageOverride) continue;
    const path = pathBelow(place, name);
    if (type === BsonType.string) {
      const weight = index.weights.get(path);
      if (weight === undefined && !index.wildcard) continue;
      yield { text: cursor.value().asString(), language, weight: weight ?? DEFAULT_WEIGHT };
    } else if (mayEnter(type, path, index, place)) {
      const isArray = type === BsonType.array;
      yield* elementsIn(cursor.value().asDocument(), index, { path, isArray, language });
    }
  }
}

function pathBelow({ path, isArray }: Place, name: string): string {
  if (path === '') return name;
  return isArray ? path : `${path}.${name}`;
}

function mayEnter(type: number, path: string, index: TextIndex, place: Place): boolean {
  if (index.wildcard) return true;
  if (type === BsonType.object) return index.parents.has(path);
  // An array inside an array is no element of a field.
  return !place.isArray && (index.weights.has(path) || index.parents.has(path));
}

function languageOf(document: Buffer, index: TextIndex, place: Place): TextLanguage {
  if (place.isArray) return place.language;
  const override = getField(document, index.languageOverride);
  if (override === undefined) return place.language;
  if (override.type !== BsonType.string) {
    throw new CommandError(17261, 'found language override field in document with non-string type');
  }
  const language = findLanguage(override.asString());
  if (language !== undefined) return language;
  throw new CommandError(17262, `language override unsupported: ${override.asString()}`);
}
