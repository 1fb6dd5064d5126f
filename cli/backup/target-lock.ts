/**
 * One flint backup per directory, on one machine: a second one would write over what the first one writes.
 *
 * Promises: the system ends it with its process, so kill -9 leaves nothing behind; no file in the directory, which may be of any file system.
 * Never keeps two machines apart that share a directory.
 */
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { FailedCommand } from '../command-line/subcommand.ts';

export interface TargetLock {
  release(): Promise<void>;
}

/** @param directory which is there @throws FailedCommand when another one has it */
export async function lockTarget(directory: string): Promise<TargetLock> {
  const { dev, ino } = await stat(directory, { bigint: true });
  const server = createServer((socket) => socket.destroy());
  try {
    // A name of the system's own, which is no file: unix(7), abstract.
    await listen(server, `\0flint-backup-${dev}-${ino}`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw new FailedCommand(`another flint backup is writing to ${directory}. Wait for its end.`);
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      resolve();
    });
  });
}
