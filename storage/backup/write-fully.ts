/**
 * Writes all of a buffer at a place: the system may take a part of it only, such as on a disk that is filling up.
 */
import type { FileHandle } from 'node:fs/promises';

/** @throws the system's error, such as ENOSPC */
export async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
