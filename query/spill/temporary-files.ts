/**
 * Spill space in temporary files.
 *
 * Promises: a file has no name from the moment it is open, so that nothing is left behind, whatever happens to the process.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CommandError } from '../../common/errors.ts';
import type { SpillFile, SpillSpace } from './spill-space.ts';

class TemporaryFile implements SpillFile {
  size = 0;
  private handle: number | undefined;

  constructor(parent: string) {
    const directory = mkdtempSync(path.join(parent, 'flint-spill-'));
    this.handle = openSync(path.join(directory, 'spill'), 'w+', 0o600);
    rmSync(directory, { recursive: true });
  }

  append(bytes: Buffer): void {
    const handle = this.open();
    try {
      let written = 0;
      while (written < bytes.length) {
        written += writeSync(handle, bytes, written, bytes.length - written, this.size + written);
      }
    } catch (cause) {
      // A full disk above all.
      throw new CommandError('OutOfDiskSpace', 'No space to spill an operation to disk', { cause });
    }
    this.size += bytes.length;
  }

  read(into: Buffer, offset: number): number {
    const wanted = Math.min(into.length, this.size - offset);
    let got = 0;
    while (got < wanted) {
      const count = readSync(this.open(), into, got, wanted - got, offset + got);
      if (count === 0) break;
      got += count;
    }
    return got;
  }

  private open(): number {
    if (this.handle === undefined) throw new Error('temporary file: used after close');
    return this.handle;
  }

  close(): void {
    if (this.handle !== undefined) closeSync(this.handle);
    this.handle = undefined;
  }
}

/** @param directory an existing directory on a disk with room. */
export function temporaryFiles(directory: string): SpillSpace {
  return { create: () => new TemporaryFile(directory) };
}

/** In the system's directory for such files, which is asked for only when something spills. */
export const systemTemporaryFiles: SpillSpace = {
  create: () => new TemporaryFile(tmpdir()),
};
