/**
 * Journal entries of catalog changes: what `o` holds for each command, written and read side by side.
 *
 * The fields that MongoDB's oplog has come first; ours follow: `ident`, `indexIdents`, `kind`. Replay gives collections
 * and indexes the idents that they had, because trees of the base bear them.
 * Bytes: docs/format/catalog.md#journal-commands.
 */
import {
  arrayValue,
  ArrayBuilder,
  documentOf,
  DocumentBuilder,
  fieldsOf,
  firstFieldName,
  getField,
  integerValue,
  type MultikeyPaths,
} from '../../bson/index.ts';
import { CorruptionError } from '../../common/errors.ts';
import { compressionOf } from '../catalog/catalog-record.ts';
import { decodeMultikeyPaths, encodeMultikeyPaths } from '../catalog/multikey-record.ts';
import type {
  CollectionDescription,
  Ident,
  IndexDescription,
  PageCompression,
} from '../contract.ts';
import type { JournalCommandName } from '../format/journal-entry.ts';

/** A catalog change as replay sees it. */
export type CatalogCommand =
  | {
      readonly name: 'create';
      readonly namespace: string;
      readonly kind: CollectionDescription['kind'];
      readonly options: Buffer;
      readonly compression: PageCompression;
      readonly ident: Ident;
      readonly indexes: readonly NewIndex[];
    }
  | { readonly name: 'drop' }
  | { readonly name: 'renameCollection'; readonly to: string }
  | {
      readonly name: 'createIndexes' | 'startIndexBuild' | 'commitIndexBuild' | 'abortIndexBuild';
      readonly indexes: readonly NewIndex[];
    }
  | { readonly name: 'dropIndexes'; readonly ident: Ident }
  | {
      readonly name: 'collMod';
      readonly options: Buffer;
      readonly indexes: readonly NewIndex[];
    };

/** An index with the ident that it has or gets. */
export interface NewIndex {
  readonly ident: Ident;
  readonly spec: Buffer;
  /** At the end of a build: where the scanned documents have arrays. */
  readonly multikeyPaths?: MultikeyPaths;
}

/** The `o` of a command entry. @param namespace of the collection that it is about */
export function encodeCatalogCommand(namespace: string, command: CatalogCommand): Buffer {
  const name = namespace.slice(namespace.indexOf('.') + 1);
  const builder = new DocumentBuilder();
  switch (command.name) {
    case 'create':
      builder.appendString('create', name).appendString('ns', command.namespace);
      builder.appendDocument('options', command.options).appendString('kind', command.kind);
      builder.appendString('compression', command.compression);
      builder.append('ident', integerValue(command.ident));
      appendIndexes(builder, command.indexes);
      break;
    case 'drop':
      builder.appendString('drop', name).appendString('ns', namespace);
      break;
    case 'renameCollection':
      builder.appendString('renameCollection', namespace).appendString('to', command.to);
      break;
    case 'dropIndexes':
      builder.appendString('dropIndexes', name).append('ident', integerValue(command.ident));
      break;
    case 'collMod':
      builder.appendString('collMod', name).appendDocument('options', command.options);
      appendIndexes(builder, command.indexes);
      break;
    case 'createIndexes':
    case 'startIndexBuild':
    case 'commitIndexBuild':
    case 'abortIndexBuild':
      builder.appendString(command.name, name);
      appendIndexes(builder, command.indexes);
  }
  return builder.finish();
}

/** @throws CorruptionError for an entry that this version did not write. */
export function decodeCatalogCommand(o: Buffer): CatalogCommand {
  const name = firstFieldName(o) as JournalCommandName | undefined;
  switch (name) {
    case 'create':
      return {
        name,
        namespace: text(o, 'ns'),
        kind: kindOf(text(o, 'kind')),
        options: document(o, 'options'),
        compression: compressionOf(text(o, 'compression')),
        ident: number(o, 'ident') as Ident,
        indexes: readIndexes(o),
      };
    case 'drop':
      return { name };
    case 'renameCollection':
      return { name, to: text(o, 'to') };
    case 'createIndexes':
    case 'startIndexBuild':
    case 'commitIndexBuild':
    case 'abortIndexBuild':
      return { name, indexes: readIndexes(o) };
    case 'dropIndexes':
      return { name, ident: number(o, 'ident') as Ident };
    case 'collMod':
      return { name, options: document(o, 'options'), indexes: readIndexes(o) };
    default:
      throw malformed(`unknown command ${String(name)}`);
  }
}

/** Indexes as command entries carry them. */
export function newIndexes(indexes: readonly IndexDescription[]): NewIndex[] {
  return indexes.map(({ ident, spec }) => ({ ident, spec }));
}

export function kindOf(text: string): CollectionDescription['kind'] {
  if (text === 'collection' || text === 'view' || text === 'timeseries') return text;
  throw malformed(`unknown kind ${text}`);
}

function appendIndexes(builder: DocumentBuilder, indexes: readonly NewIndex[]): void {
  const array = new ArrayBuilder();
  for (const { ident, spec, multikeyPaths } of indexes) {
    const paths = multikeyPaths === undefined ? undefined : encodeMultikeyPaths(multikeyPaths);
    array.pushDocument(documentOf({ ident, spec, multikeyPaths: paths }));
  }
  builder.append('indexes', arrayValue(array.finish()));
}

function readIndexes(o: Buffer): NewIndex[] {
  const indexes: NewIndex[] = [];
  for (const [, element] of fieldsOf(document(o, 'indexes'))) {
    const index = element.asDocument();
    const paths = getField(index, 'multikeyPaths');
    indexes.push({
      ident: number(index, 'ident') as Ident,
      spec: document(index, 'spec'),
      ...(paths === undefined ? {} : { multikeyPaths: decodeMultikeyPaths(paths) }),
    });
  }
  return indexes;
}

function text(o: Buffer, field: string): string {
  const value = getField(o, field);
  if (value?.typeName !== 'string') throw malformed(`${field} is no string`);
  return value.asString();
}

function number(o: Buffer, field: string): number {
  const value = getField(o, field);
  if (value?.isNumber !== true) throw malformed(`${field} is no number`);
  return value.asNumber();
}

function document(o: Buffer, field: string): Buffer {
  const value = getField(o, field);
  if (value?.typeName !== 'object' && value?.typeName !== 'array') {
    throw malformed(`${field} is no document`);
  }
  // The entry's buffer is reused after the visit: what the catalog keeps is copied.
  return Buffer.from(value.asDocument());
}

function malformed(message: string): CorruptionError {
  return new CorruptionError('malformed', 'journal command', message);
}
