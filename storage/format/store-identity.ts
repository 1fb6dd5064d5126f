/**
 * The index store's record about itself: whose it is, and what the last checkpoint left in it.
 *
 * Without it LMDB is lost, never empty: lmdb opens a zero-byte file without an error. docs/format/lmdb.md#identity
 */
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, Ident } from '../contract.ts';
import { readU64, writeU64 } from './integers.ts';
import { treeKey } from './tree-key.ts';

export const INDEX_STORE_FORMAT_VERSION = 2;

/** Identity record, 40 bytes, under ident 0. docs/format/lmdb.md#identity */
export const STORE_IDENTITY = {
  magic: 0, // u32  'FIDX'
  version: 4, // u16  format version
  reserved: 6, // u16
  storeId: 8, // 16 bytes
  checkpoint: 24, // u64  number of the checkpoint
  applied: 32, // u64  last commit number in the base
  size: 40,
} as const;

const MAGIC = 0x58444946; // 'FIDX' as little-endian bytes
const STORE_IDENT = 0 as Ident;

export const STORE_IDENTITY_KEY = treeKey(STORE_IDENT, Buffer.from('store', 'latin1'));

/** What a checkpoint leaves in the store, to be compared with the superblock at start. */
export interface CheckpointStamp {
  /** Number of the checkpoint; 0 in a new store. */
  readonly checkpoint: number;
  /** Everything up to this commit is in the base. */
  readonly applied: CommitNumber;
}

export interface StoreIdentity {
  /** 16 bytes. */
  readonly storeId: Buffer;
  readonly stamp: CheckpointStamp;
}

export function encodeStoreIdentity(identity: StoreIdentity): Buffer {
  const record = Buffer.alloc(STORE_IDENTITY.size);
  record.writeUInt32LE(MAGIC, STORE_IDENTITY.magic);
  record.writeUInt16LE(INDEX_STORE_FORMAT_VERSION, STORE_IDENTITY.version);
  identity.storeId.copy(record, STORE_IDENTITY.storeId);
  writeU64(record, identity.stamp.checkpoint, STORE_IDENTITY.checkpoint);
  writeU64(record, identity.stamp.applied, STORE_IDENTITY.applied);
  return record;
}

/** @throws CorruptionError 'malformed' for a record of another format. */
export function decodeStoreIdentity(record: Buffer): StoreIdentity {
  const known =
    record.length === STORE_IDENTITY.size && record.readUInt32LE(STORE_IDENTITY.magic) === MAGIC;
  const version = known ? record.readUInt16LE(STORE_IDENTITY.version) : 0;
  if (version !== INDEX_STORE_FORMAT_VERSION) {
    throw new CorruptionError(
      'malformed',
      'index store',
      `format version ${version} is not known to this version of FlintDB (${INDEX_STORE_FORMAT_VERSION})`,
    );
  }
  return {
    storeId: Buffer.from(record.subarray(STORE_IDENTITY.storeId, STORE_IDENTITY.storeId + 16)),
    stamp: {
      checkpoint: readU64(record, STORE_IDENTITY.checkpoint),
      applied: readU64(record, STORE_IDENTITY.applied) as CommitNumber,
    },
  };
}
