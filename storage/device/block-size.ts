/**
 * Finds the size in which a disk writes: what a torn write may destroy at once.
 *
 * A drive of "512e" takes writes of 512 bytes and rewrites 4096: a torn write there reaches its neighbours, so sectors of
 * the store are never smaller. Source: Linux, Documentation/ABI/stable/sysfs-block.
 */
import { readFile, stat } from 'node:fs/promises';

/** Smallest sector of a store, whatever the disk says. */
export const LEAST_SECTOR_BYTES = 4096;
/** The two superblock copies lie 512 KiB apart and must not share a sector. */
const MOST_SECTOR_BYTES = 65_536;

/** Physical block size of the disk below `path`, at least 4096 and at most 65536 bytes; 4096 where nothing is known. */
export async function physicalBlockBytes(path: string): Promise<number> {
  const { dev } = await stat(path, { bigint: true });
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  const device = `/sys/dev/block/${major}:${minor}`;
  // A partition has no queue of its own: its disk's is one level up.
  for (const queue of [`${device}/queue`, `${device}/../queue`]) {
    const bytes = await readNumber(`${queue}/physical_block_size`);
    if (bytes !== undefined) return clamp(bytes);
  }
  return LEAST_SECTOR_BYTES;
}

async function readNumber(path: string): Promise<number | undefined> {
  try {
    const number = Number(await readFile(path, 'utf8'));
    return Number.isInteger(number) && number > 0 ? number : undefined;
  } catch {
    // No such file: an anonymous device (btrfs, overlay, tmpfs), or no /sys.
    return undefined;
  }
}

function clamp(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(bytes));
  return Math.min(MOST_SECTOR_BYTES, Math.max(LEAST_SECTOR_BYTES, power));
}
