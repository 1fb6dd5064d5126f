/**
 * A text index as its specification describes it: fields with weights, languages, and the ordinary fields around them.
 *
 * Owns: reading the specification that createIndexes stored. Each description is read once.
 */
import { BsonType, EMPTY_DOCUMENT, fieldsOf, getField } from '../../bson/index.ts';
import { findLanguage, type TextLanguage } from './language.ts';

export interface OrdinaryField {
  readonly path: string;
  readonly direction: 1 | -1;
}

export interface TextIndex {
  readonly weights: ReadonlyMap<string, number>;
  /** Paths that lie above a weighted one: documents there are entered. */
  readonly parents: ReadonlySet<string>;
  /** All strings are indexed. */
  readonly wildcard: boolean;
  readonly defaultLanguage: TextLanguage;
  /** The field that names a document's own language. */
  readonly languageOverride: string;
  readonly before: readonly OrdinaryField[];
  readonly after: readonly OrdinaryField[];
}

/** A field has this weight when the specification gives none. */
export const DEFAULT_WEIGHT = 1;

const READ = new WeakMap<Buffer, TextIndex>();

/** @param spec of an index that has a text field: checked when it was created. */
export function textIndexOf(spec: Buffer): TextIndex {
  let index = READ.get(spec);
  if (index === undefined) {
    index = read(spec);
    READ.set(spec, index);
  }
  return index;
}

function read(spec: Buffer): TextIndex {
  const weights = new Map<string, number>();
  for (const [path, weight] of fieldsOf(documentAt(spec, 'weights'))) {
    weights.set(path, weight.asNumber());
  }
  // The weight of "$**" has no effect: fields that are not named weigh 1.
  const wildcard = weights.delete('$**');
  const language = textAt(spec, 'default_language') ?? 'english';
  return {
    weights,
    parents: new Set([...weights.keys()].flatMap(parentsOf)),
    wildcard,
    defaultLanguage: findLanguage(language) ?? none(),
    languageOverride: textAt(spec, 'language_override') ?? 'language',
    ...ordinaryFields(documentAt(spec, 'key')),
  };
}

function none(): TextLanguage {
  const language = findLanguage('none');
  if (language === undefined) throw new Error('there is no language "none"');
  return language;
}

function parentsOf(path: string): string[] {
  const parts = path.split('.');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
}

function ordinaryFields(keyPattern: Buffer): Pick<TextIndex, 'before' | 'after'> {
  const before: OrdinaryField[] = [];
  const after: OrdinaryField[] = [];
  let fields = before;
  for (const [path, value] of fieldsOf(keyPattern)) {
    if (path === '_fts' || path === '_ftsx') fields = after;
    else fields.push({ path, direction: value.asNumber() < 0 ? -1 : 1 });
  }
  return { before, after };
}

function documentAt(spec: Buffer, name: string): Buffer {
  const value = getField(spec, name);
  return value?.type === BsonType.object ? value.asDocument() : EMPTY_DOCUMENT;
}

function textAt(spec: Buffer, name: string): string | undefined {
  const value = getField(spec, name);
  return value?.type === BsonType.string ? value.asString() : undefined;
}
