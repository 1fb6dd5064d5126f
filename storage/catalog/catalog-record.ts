/**
 * The catalog in the base: one record per collection, one for the store's counters, one per tree that waits to be reaped.
 *
 * Owns: keys and values of the store's trees 1 to 3. Bytes: docs/format/catalog.md.
 */
import {
  ArrayBuilder,
  arrayValue,
  binaryValue,
  documentOf,
  DocumentBuilder,
  fieldsOf,
  getField,
  integerValue,
  type RawValue,
} from '../../bson/index.ts';
import { CorruptionError } from '../../common/errors.ts';
import {
  isPageCompression,
  type CollectionDescription,
  type CollectionUuid,
  type Ident,
  type IndexDescription,
  type PageCompression,
  type RecordId,
} from '../contract.ts';
import { decodeBase, encodeBase, type Base } from '../format/base.ts';
import { treeKey, treePrefix, treeEnd, writeUInt48BE, readUInt48BE } from '../format/tree-key.ts';
import type { CollectionSize } from './collection-state.ts';
import { describeIndex } from './index-spec.ts';
import { decodeMultikeyPaths, encodeMultikeyPaths } from './multikey-record.ts';

const CATALOG_TREE = 1 as Ident;
const STORE_TREE = 2 as Ident;
const REAP_TREE = 3 as Ident;
/**
 * The collection of the block store that holds the catalog's records once more, with the collection's ident as record id: the index
 * store can be rebuilt from them.
 */
export const CATALOG_COLLECTION = 4 as Ident;
/** What the block store keeps of the store as a whole is record 1 there; no collection has that ident. */
export const STORED_COUNTERS = 1 as RecordId;

const IDENT_KEY_BYTES = 6;
const UUID_SUBTYPE = 4;

/** What the base keeps of a collection beside its records. */
export interface CatalogRecord {
  readonly description: CollectionDescription;
  readonly size: CollectionSize;
  readonly recordIdHighWater: number;
}

/** What the store counts beside its collections. */
export interface StoreCounters {
  /** The next ident to be given out. */
  readonly identHighWater: number;
  /** Version of the keys of indexes that depend on one; undefined: of none yet. */
  readonly keyVersion: string | undefined;
}

/** What the base keeps of the store as a whole. */
export interface StoreRecord extends StoreCounters {
  readonly base: Base;
}

/** A tree whose collection or index is gone, and that is deleted in slices. */
export interface ReapRecord {
  readonly ident: Ident;
  /** A record map names places in the block store, which must be superseded as it goes. */
  readonly kind: 'records' | 'keys';
  /** About how many records or entries it had when it was dropped. */
  readonly entries: number;
}

export const STORE_RECORD_KEY: Buffer = treeKey(STORE_TREE, Buffer.from('store', 'latin1'));
export const CATALOG_RANGE = { lower: treePrefix(CATALOG_TREE), upper: treeEnd(CATALOG_TREE) };
export const REAP_RANGE = { lower: treePrefix(REAP_TREE), upper: treeEnd(REAP_TREE) };

export function catalogKey(collection: Ident): Buffer {
  return treeKey(CATALOG_TREE, identBytes(collection));
}

export function reapKey(tree: Ident): Buffer {
  return treeKey(REAP_TREE, identBytes(tree));
}

export function encodeCatalogRecord(record: CatalogRecord): Buffer {
  const { description, size } = record;
  const indexes = new ArrayBuilder();
  for (const index of description.indexes) indexes.pushDocument(encodeIndex(index));
  return new DocumentBuilder()
    .appendString('ns', description.namespace)
    .append('uuid', binaryValue(Buffer.from(description.uuid, 'hex'), UUID_SUBTYPE))
    .appendString('kind', description.kind)
    .appendDocument('options', description.options)
    .appendString('compression', description.compression)
    .append('indexes', arrayValue(indexes.finish()))
    .append('records', integerValue(size.records))
    .append('bytes', integerValue(size.bytes))
    .append('recordIdHighWater', integerValue(record.recordIdHighWater))
    .finish();
}

/** @param key as catalogKey made it @throws CorruptionError malformed */
export function decodeCatalogRecord(key: Buffer, value: Buffer): CatalogRecord {
  const kind = field(value, 'kind').asString();
  if (kind !== 'collection' && kind !== 'view' && kind !== 'timeseries') throw malformed('kind');
  const indexes: IndexDescription[] = [];
  for (const [, element] of fieldsOf(field(value, 'indexes').asDocument())) {
    indexes.push(decodeIndex(element.asDocument()));
  }
  return {
    description: {
      ident: identOfKey(key),
      uuid: field(value, 'uuid').asBinary().bytes.toString('hex') as CollectionUuid,
      namespace: field(value, 'ns').asString(),
      kind,
      options: field(value, 'options').asDocument(),
      compression: compressionOf(field(value, 'compression').asString()),
      indexes,
    },
    size: {
      records: field(value, 'records').asNumber(),
      bytes: field(value, 'bytes').asNumber(),
    },
    recordIdHighWater: field(value, 'recordIdHighWater').asNumber(),
  };
}

export function encodeStoreRecord(record: StoreRecord): Buffer {
  const builder = new DocumentBuilder().append('base', binaryValue(encodeBase(record.base), 0));
  return withCounters(builder, record).finish();
}

/** @throws CorruptionError malformed */
export function decodeStoreRecord(value: Buffer): StoreRecord {
  return {
    base: decodeBase(field(value, 'base').asBinary().bytes),
    ...decodeStoreCounters(value),
  };
}

/** The counters alone, as the block store keeps them: the base is what it is found by. */
export function encodeStoreCounters(counters: StoreCounters): Buffer {
  return withCounters(new DocumentBuilder(), counters).finish();
}

/** @throws CorruptionError malformed */
export function decodeStoreCounters(value: Buffer): StoreCounters {
  return {
    identHighWater: field(value, 'identHighWater').asNumber(),
    keyVersion: getField(value, 'keyVersion')?.asString(),
  };
}

function withCounters(
  builder: DocumentBuilder,
  { identHighWater, keyVersion }: StoreCounters,
): DocumentBuilder {
  builder.append('identHighWater', integerValue(identHighWater));
  return keyVersion === undefined ? builder : builder.appendString('keyVersion', keyVersion);
}

export function encodeReapRecord(record: ReapRecord): Buffer {
  return documentOf({ kind: record.kind, entries: record.entries });
}

/** @param key as reapKey made it @throws CorruptionError malformed */
export function decodeReapRecord(key: Buffer, value: Buffer): ReapRecord {
  const kind = field(value, 'kind').asString();
  if (kind !== 'records' && kind !== 'keys') throw malformed('kind');
  return { ident: identOfKey(key), kind, entries: field(value, 'entries').asNumber() };
}

function encodeIndex(index: IndexDescription): Buffer {
  return new DocumentBuilder()
    .append('ident', integerValue(index.ident))
    .appendDocument('spec', index.spec)
    .appendBoolean('ready', index.ready)
    .append('multikeyPaths', encodeMultikeyPaths(index.multikeyPaths))
    .finish();
}

function decodeIndex(value: Buffer): IndexDescription {
  return describeIndex(field(value, 'spec').asDocument(), {
    ident: field(value, 'ident').asNumber() as Ident,
    ready: field(value, 'ready').asBoolean(),
    multikeyPaths: decodeMultikeyPaths(field(value, 'multikeyPaths')),
  });
}

/** @throws CorruptionError malformed */
export function compressionOf(name: string): PageCompression {
  if (isPageCompression(name)) return name;
  throw malformed(`unknown compression ${name}`);
}

function identBytes(ident: Ident): Buffer {
  const bytes = Buffer.alloc(IDENT_KEY_BYTES);
  writeUInt48BE(bytes, ident, 0);
  return bytes;
}

function identOfKey(key: Buffer): Ident {
  return readUInt48BE(key, key.length - IDENT_KEY_BYTES) as Ident;
}

function field(value: Buffer, name: string): RawValue {
  const found = getField(value, name);
  if (found === undefined) throw malformed(`${name} is missing`);
  return found;
}

function malformed(message: string): CorruptionError {
  return new CorruptionError('malformed', 'catalog record', message);
}
