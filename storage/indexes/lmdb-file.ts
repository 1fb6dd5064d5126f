/**
 * Looks at LMDB's file before LMDB does: it opens an empty file without an error, and on one that is no LMDB file at all
 * npm lmdb 3.5.6 ends the process with a segmentation fault.
 *
 * Source: LMDB's mdb.c, structures MDB_page and MDB_meta of data format version 2 with a 24-byte page header.
 */
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { CorruptionError } from '../../common/errors.ts';
import { readU64 } from '../format/integers.ts';

export const LMDB_PAGE_BYTES = 4096;

/** Places within each of the two meta pages. */
const META = {
  pageFlags: 18, // u16  has bit 3
  magic: 24, // u32
  version: 28, // u32, of which the lower half counts
  pageBytes: 48, // u32
  lastPage: 144, // u64  number of the last page in use
  transaction: 152, // u64  the meta page with the higher one counts
} as const;
const META_PAGES = 2;
const META_FLAG = 8;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;

/**
 * Whether there is an LMDB file; one whose creation was cut short holds nothing but zeros, or less than its meta pages. One that is short
 * ends before the last page that it says is in use: it may be whole all the same, when that page was given up before it was written.
 */
export type LmdbFileState = 'missing' | 'unfinished' | 'short' | 'whole';

/** @throws CorruptionError malformed, for a file that is none of LMDB's */
export function lookAtLmdbFile(path: string): LmdbFileState {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return 'missing';
  if (size < META_PAGES * LMDB_PAGE_BYTES) return 'unfinished';
  const metaPages = readStart(path, META_PAGES * LMDB_PAGE_BYTES);
  if (metaPages.every((byte) => byte === 0)) return 'unfinished';
  for (let page = 0; page < META_PAGES; page += 1) {
    if (!isMetaPage(metaPages.subarray(page * LMDB_PAGE_BYTES))) {
      throw new CorruptionError(
        'malformed',
        'index store',
        `page ${page} of ${path} is no meta page of LMDB`,
      );
    }
  }
  return size < pagesInUse(metaPages) * LMDB_PAGE_BYTES ? 'short' : 'whole';
}

function pagesInUse(metaPages: Buffer): number {
  const [first, second] = [metaPages, metaPages.subarray(LMDB_PAGE_BYTES)];
  const isSecond = readU64(second, META.transaction) > readU64(first, META.transaction);
  return readU64(isSecond ? second : first, META.lastPage) + 1;
}

/** Removes what an interrupted creation left. */
export function removeLmdbFile(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}-lock`, { force: true });
}

function isMetaPage(page: Buffer): boolean {
  return (
    (page.readUInt16LE(META.pageFlags) & META_FLAG) !== 0 &&
    page.readUInt32LE(META.magic) === MAGIC &&
    page.readUInt16LE(META.version) === DATA_VERSION &&
    page.readUInt32LE(META.pageBytes) === LMDB_PAGE_BYTES
  );
}

function readStart(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(bytes);
    readSync(file, start, 0, bytes, 0);
    return start;
  } finally {
    closeSync(file);
  }
}
