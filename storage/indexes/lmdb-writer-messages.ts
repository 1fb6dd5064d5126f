/**
 * What the index store and its writing thread say to each other.
 */
import { CorruptionError, DeviceError, type CorruptionKind } from '../../common/errors.ts';
import type { ChangesChunk } from './changes.ts';
import type { CommitResult } from './contract.ts';

export interface WriterOptions {
  readonly path: string;
  readonly mapBytes: number;
}

export type WriterRequest =
  | {
      readonly kind: 'commit';
      readonly chunks: readonly ChangesChunk[];
      readonly identityKey: Uint8Array;
      /** Sealed. */
      readonly identity: Uint8Array;
    }
  | { readonly kind: 'close' };

/** An error on its way between threads, which do not share classes. */
export interface ErrorDescription {
  readonly message: string;
  readonly corruption?: { readonly kind: CorruptionKind; readonly part: string };
}

export type WriterReply =
  | {
      readonly kind: 'committed';
      readonly result: CommitResult;
      /** By its writes; 0 where the system does not say. */
      readonly writtenBytes: number;
    }
  | { readonly kind: 'failed'; readonly error: ErrorDescription };

export function isWriterOptions(data: unknown): data is WriterOptions {
  return typeof data === 'object' && data !== null && 'path' in data && 'mapBytes' in data;
}

export function describeError(error: unknown): ErrorDescription {
  if (error instanceof CorruptionError) {
    const { kind, part, message } = error;
    return { message, corruption: { kind, part } };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}

/** @param diskIsFull LMDB reports a full disk as EIO */
export function errorFromDescription(description: ErrorDescription, diskIsFull: boolean): Error {
  const { message, corruption } = description;
  if (corruption !== undefined) {
    return new CorruptionError(corruption.kind, corruption.part, message);
  }
  return new DeviceError(diskIsFull ? 'ENOSPC' : 'EIO', `index store: ${message}`);
}
