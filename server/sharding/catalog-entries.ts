/**
 * What routers and shards take from the config server's documents of collections, databases and shards.
 */
import { getField, type RawValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { DatabaseVersion } from './database-version.ts';
import { ShardKeyPattern } from './shard-key-pattern.ts';
import { timestampOf, type CollectionGeneration } from './shard-version.ts';

/** A document of config.collections. */
export interface CollectionEntry {
  readonly namespace: string;
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly pattern: ShardKeyPattern;
  readonly isUnique: boolean;
  readonly generation: CollectionGeneration;
  /** As the collection was created with it; absent: strings are compared by their bytes. */
  readonly defaultCollation: Buffer | undefined;
}

/** A document of config.databases. */
export interface DatabaseEntry {
  readonly name: string;
  /** Name of the shard that has its unsharded collections. */
  readonly primary: string;
  readonly version: DatabaseVersion;
}

/** A document of config.shards. */
export interface ShardEntry {
  readonly name: string;
  /** "host:port", or "set/host:port,host:port". */
  readonly host: string;
  readonly isDraining: boolean;
}

export function collectionFromDocument(document: Buffer): CollectionEntry {
  return {
    namespace: required(document, '_id').asString(),
    uuid: required(document, 'uuid').asBinary().bytes.toString('hex'),
    pattern: ShardKeyPattern.parse(required(document, 'key').asDocument()),
    isUnique: getField(document, 'unique')?.isTruthy() === true,
    generation: {
      epoch: required(document, 'lastmodEpoch').asObjectIdBytes().toString('hex'),
      timestamp: timestampOf(required(document, 'timestamp')),
    },
    defaultCollation: getField(document, 'defaultCollation')?.asDocument(),
  };
}

export function databaseFromDocument(document: Buffer): DatabaseEntry {
  return {
    name: required(document, '_id').asString(),
    primary: required(document, 'primary').asString(),
    version: DatabaseVersion.parse(required(document, 'version'), 'version'),
  };
}

export function shardFromDocument(document: Buffer): ShardEntry {
  return {
    name: required(document, '_id').asString(),
    host: required(document, 'host').asString(),
    isDraining: getField(document, 'draining')?.isTruthy() === true,
  };
}

function required(document: Buffer, name: string): RawValue {
  const value = getField(document, name);
  tassert(value !== undefined, 'a document of the config database lacks a field');
  return value;
}
