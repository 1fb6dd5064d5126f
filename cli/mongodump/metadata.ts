/**
 * The metadata file of a collection: options and indexes as canonical Extended JSON, so that every type comes back.
 * Text: docs/format/mongodump.md#metadata.
 */
import {
  ArrayBuilder,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  BsonType,
  fieldsOf,
  getField,
  isEmpty,
  parseExtendedJson,
  toExtendedJsonText,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import type { NamespaceDescription, NamespaceKind } from '../transfer/namespaces.ts';

export interface Metadata {
  readonly options: Buffer;
  readonly indexes: readonly Buffer[];
  /** undefined in files of old tools. */
  readonly collection: string | undefined;
  readonly kind: NamespaceKind;
}

export function encodeMetadata(description: NamespaceDescription): string {
  const { options, indexes, uuid, collection, kind } = description;
  const out = new DocumentBuilder();
  if (!isEmpty(options)) out.appendDocument('options', options);
  const array = new ArrayBuilder();
  for (const index of indexes) array.pushDocument(index);
  out.appendArray('indexes', array.finish());
  if (uuid !== undefined) out.appendString('uuid', uuid);
  out.appendString('collectionName', collection);
  out.appendString('type', kind);
  return toExtendedJsonText(out.finish());
}

/** @param text empty: a collection without options and indexes. @param where for messages. @throws FailedCommand */
export function decodeMetadata(text: string, where: string): Metadata {
  if (text.trim() === '') {
    return { options: EMPTY_DOCUMENT, indexes: [], collection: undefined, kind: 'collection' };
  }
  try {
    const document = parseExtendedJson(text);
    const given = getField(document, 'options');
    const options = given?.type === BsonType.object ? given.asDocument() : EMPTY_DOCUMENT;
    const name = getField(document, 'collectionName');
    return {
      options,
      indexes: indexesOf(document),
      collection: name?.type === BsonType.string ? name.asString() : undefined,
      kind: kindOf(options),
    };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new FailedCommand(`${where} is no metadata of mongodump: ${error.message}`);
  }
}

function indexesOf(document: Buffer): Buffer[] {
  const indexes = getField(document, 'indexes');
  if (indexes?.type !== BsonType.array) return [];
  return [...fieldsOf(indexes.asDocument())]
    .filter(([, index]) => index.type === BsonType.object)
    .map(([, index]) => index.asDocument());
}

/** Older tools wrote no type; the options tell it. */
function kindOf(options: Buffer): NamespaceKind {
  if (getField(options, 'viewOn') !== undefined) return 'view';
  return getField(options, 'timeseries') === undefined ? 'collection' : 'timeseries';
}
