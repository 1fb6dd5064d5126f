/**
 * Whether a commit of LMDB failed for want of room: LMDB reports that as EIO, like an error of the device.
 *
 * The file system is asked, and when it claims to have plenty a small file tells of quotas and of the largest size that a file may have.
 */
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isNoSpaceCode } from '../device/file-io.ts';

/** Below this much free space there may not have been enough. */
const FULL_DISK_BYTES = 16 * 1024 * 1024;
/** What the trial writes, and how far behind the end of LMDB's file, so that it meets what LMDB met. */
const TRIAL_BYTES = 256 * 1024;
const TRIAL_DISTANCE_BYTES = 1024 * 1024;

/** @param path of LMDB's file */
export function hasNoRoom(path: string): boolean {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < FULL_DISK_BYTES || refusesToGrow(path);
}

function refusesToGrow(path: string): boolean {
  const trial = `${path}.trial`;
  const end = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const file = openSync(trial, 'w');
    try {
      writeSync(file, Buffer.alloc(TRIAL_BYTES, 1), 0, TRIAL_BYTES, 0);
      // One block far behind: the rest of the file is a hole.
      writeSync(file, Buffer.of(1), 0, 1, end + TRIAL_DISTANCE_BYTES);
    } finally {
      closeSync(file);
    }
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && isNoSpaceCode(String(error.code));
  } finally {
    rmSync(trial, { force: true });
  }
}
