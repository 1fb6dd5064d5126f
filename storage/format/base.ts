/**
 * A base as the index store keeps it with its commit: which manifest of the block store belongs to it.
 *
 * Bytes: docs/format/manifest.md#base.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import { readU64, writeU64 } from './integers.ts';

/** docs/format/manifest.md#base */
export const BASE = {
  checkpoint: 0, // u64
  commitNumber: 8, // u64
  manifestAddress: 16, // u64
  manifestGeneration: 24, // u64
  manifestSectors: 32, // u64
  size: 40,
} as const;

/** One durable base: what the index store keeps with its commit, and the superblock after it. */
export interface Base {
  /** Counts checkpoints of this store, from 1; 0 is the empty base of a new store. */
  readonly checkpoint: number;
  /** Everything up to here is in it. */
  readonly commitNumber: CommitNumber;
  /** First sector of its manifest. */
  readonly manifestAddress: number;
  readonly manifestGeneration: number;
  /** 0 for the empty base. */
  readonly manifestSectors: number;
}

export function encodeBase(base: Base): Buffer {
  const bytes = Buffer.alloc(BASE.size);
  writeU64(bytes, base.checkpoint, BASE.checkpoint);
  writeU64(bytes, base.commitNumber, BASE.commitNumber);
  writeU64(bytes, base.manifestAddress, BASE.manifestAddress);
  writeU64(bytes, base.manifestGeneration, BASE.manifestGeneration);
  writeU64(bytes, base.manifestSectors, BASE.manifestSectors);
  return bytes;
}

/** @throws CorruptionError malformed */
export function decodeBase(bytes: Buffer): Base {
  if (bytes.length !== BASE.size) {
    throw new CorruptionError('malformed', 'base', `${bytes.length} bytes instead of ${BASE.size}`);
  }
  return {
    checkpoint: readU64(bytes, BASE.checkpoint),
    commitNumber: readU64(bytes, BASE.commitNumber) as CommitNumber,
    manifestAddress: readU64(bytes, BASE.manifestAddress),
    manifestGeneration: readU64(bytes, BASE.manifestGeneration),
    manifestSectors: readU64(bytes, BASE.manifestSectors),
  };
}
