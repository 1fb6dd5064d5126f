/**
 * What both index stores say about a store that is not there, or not ours.
 */
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import type { CheckpointStamp } from '../format/store-identity.ts';

export const NEW_STORE_STAMP: CheckpointStamp = { checkpoint: 0, applied: 0 as CommitNumber };

export function storeIsMissing(path: string): CorruptionError {
  return new CorruptionError(
    'missing',
    'index store',
    `${path} is missing, empty, or without its identity record: its contents are lost and must be rebuilt`,
  );
}

/** @throws CorruptionError 'foreign' */
export function refuseForeignStore(path: string, found: Buffer, expected: Buffer): void {
  if (found.equals(expected)) return;
  throw new CorruptionError(
    'foreign',
    'index store',
    `${path} belongs to store ${found.toString('hex')}, not to ${expected.toString('hex')}`,
  );
}
