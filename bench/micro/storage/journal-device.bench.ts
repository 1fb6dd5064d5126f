/**
 * Question: should the journal's device run on threads of its own, or on libuv's pool?
 *
 * Estimate beforehand: alone both cost one hop (10 us) on a write of 80-100 us, so they are equal; while the pool is busy
 * (SCRAM, zlib, page reads) its queue stands before every journal write, threads of their own do not see it.
 * Run: `npm run bench -- storage/journal-device`.
 */
import { pbkdf2 } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import { sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import { line, measureLanes, showLanes } from './measure.ts';

const SECTORS = 4096;
const directory = await mkdtemp(join(tmpdir(), 'flint-bench-'));
const volume = await FileVolume.open(directory);

async function measure(name: string, thread: boolean, calls: number): Promise<void> {
  const device = await volume.open(name, {
    create: true,
    sectorCount: SECTORS,
    zeroed: true,
    durableWrites: true,
    thread,
  });
  // Threads take a moment to start; until then the pool serves.
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const sectors of [1, 16]) {
    for (const lanes of [1, 2]) {
      const buffers = Array.from({ length: lanes }, () => allocateAligned(sectors * 4096));
      const figures = await measureLanes(calls, lanes, (lane, call) => {
        const sector = sectorNumber((call * sectors) % SECTORS);
        return device.execute(writeBio(device, sector, [buffers[lane]]));
      });
      line(`${name}, ${sectors * 4} KiB, ${lanes} in flight`, showLanes(figures));
    }
  }
  await device.close();
}

/** Keeps the pool's four threads busy, as logins do. */
function busyPool(): () => void {
  let going = true;
  const next = (): void => {
    if (going) pbkdf2('password', 'salt', 15_000, 32, 'sha256', next);
  };
  for (let thread = 0; thread < 4; thread += 1) next();
  return () => {
    going = false;
  };
}

for (let round = 0; round < 2; round += 1) {
  await measure('pool', false, 2000);
  await measure('threads', true, 2000);
}
const stop = busyPool();
await measure('pool, while it is busy', false, 200);
await measure('threads, while the pool is busy', true, 200);
stop();
await volume.close();
await rm(directory, { recursive: true });
