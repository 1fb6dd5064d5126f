/**
 * Temporary files of operations, on the store's own disk: what a sort or a group cannot hold in memory.
 *
 * Owns: the directory `_tmp` of a store, and the count of what lies in it. A file has no name from the moment it is open, so that it is
 * gone with its operation, and with the process; what a crash in between has left is removed at the next start.
 * Not in extents: it is written and read once, in order, by one operation, and given back within seconds, which the file system does better
 * than copy on write; and no checkpoint has to know of it. Reads and writes are synchronous and large (about a megabyte): they cost less
 * than handing them over.
 * Promises: space that the store needs for itself is not taken (DiskSpace); a full disk is OutOfDiskSpace, as in MongoDB.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { asDeviceError, isNoSpaceCode } from '../device/file-io.ts';
import type { SpillFile, SpillSpace } from '../contract.ts';

const DIRECTORY_NAME = '_tmp';

export interface SpillStatistics {
  readonly files: number;
  readonly bytes: number;
  /** Since the start. */
  readonly filesTotal: number;
  readonly bytesTotal: number;
}

export interface SpillAreaOptions {
  /** An existing directory. Absent: the system's, for a store without files. */
  readonly directory?: string;
  /** Throws when what is left of the disk is the store's own need. */
  readonly refuseGrowth?: () => void;
}

/** The directory for spill files of the store in `dbpath`, made if need be, without what a crash may have left there. */
export async function prepareSpillDirectory(dbpath: string): Promise<string> {
  const directory = join(dbpath, DIRECTORY_NAME);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  return directory;
}

export class SpillArea implements SpillSpace {
  readonly memoryBytes = Infinity;
  private readonly options: SpillAreaOptions;
  private files = 0;
  private bytes = 0;
  private filesTotal = 0;
  private bytesTotal = 0;

  constructor(options: SpillAreaOptions = {}) {
    this.options = options;
  }

  create(): SpillFile {
    this.options.refuseGrowth?.();
    const file = new NamelessFile(this.options.directory ?? tmpdir(), this);
    this.files += 1;
    this.filesTotal += 1;
    return file;
  }

  get statistics(): SpillStatistics {
    const { files, bytes, filesTotal, bytesTotal } = this;
    return { files, bytes, filesTotal, bytesTotal };
  }

  /** For its files: before they grow. @throws CommandError OutOfDiskSpace */
  noteGrowth(bytes: number): void {
    this.options.refuseGrowth?.();
    this.bytes += bytes;
    this.bytesTotal += bytes;
  }

  /** For its files: when they end. */
  noteEnd(bytes: number): void {
    this.files -= 1;
    this.bytes -= bytes;
  }
}

class NamelessFile implements SpillFile {
  size = 0;
  private readonly area: SpillArea;
  private handle: number | undefined;
  /** What the area has counted: more than `size` after a write that failed. */
  private counted = 0;

  constructor(parent: string, area: SpillArea) {
    this.area = area;
    try {
      const directory = mkdtempSync(join(parent, 'flint-spill-'));
      this.handle = openSync(join(directory, 'spill'), 'w+', 0o600);
      rmSync(directory, { recursive: true });
    } catch (cause) {
      throw outOfSpace(cause);
    }
  }

  append(bytes: Buffer): void {
    const handle = this.open();
    this.area.noteGrowth(bytes.length);
    this.counted += bytes.length;
    try {
      let written = 0;
      while (written < bytes.length) {
        written += writeSync(handle, bytes, written, bytes.length - written, this.size + written);
      }
    } catch (cause) {
      throw isFullDisk(cause) ? outOfSpace(cause) : asDeviceError('spill file', 'WRITE', cause);
    }
    this.size += bytes.length;
  }

  read(into: Buffer, offset: number): number {
    const wanted = Math.min(into.length, this.size - offset);
    let got = 0;
    try {
      while (got < wanted) {
        const count = readSync(this.open(), into, got, wanted - got, offset + got);
        if (count === 0) break;
        got += count;
      }
    } catch (error) {
      throw asDeviceError('spill file', 'READ', error);
    }
    return got;
  }

  close(): void {
    if (this.handle === undefined) return;
    closeSync(this.handle);
    this.handle = undefined;
    this.area.noteEnd(this.counted);
  }

  private open(): number {
    invariant(this.handle !== undefined, 'spill file: used after close');
    return this.handle;
  }
}

function isFullDisk(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && isNoSpaceCode(code);
}

/** A full disk above all. */
function outOfSpace(cause: unknown): CommandError {
  return new CommandError('OutOfDiskSpace', 'No space to spill an operation to disk', { cause });
}
