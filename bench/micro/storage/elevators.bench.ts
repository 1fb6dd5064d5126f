/**
 * Question: what does an elevator that sorts by sector and prefers reads buy, on flash and on a disk that seeks?
 *
 * Load: 16 readers of one random 4 KiB block each at a time, and 4 writers that stream neighbouring blocks in bursts of 32.
 * Estimate beforehand: a disk head at 3 to 10 ms a seek serves about 150 random blocks a second; sorted, a batch of 16 shares
 * its seeks (3 times more), and reads no longer wait behind bursts of writes (p99 a tenth). Flash has no head: both alike, with
 * some microseconds more for sorting.
 * The disk is simulated in time: a call takes (distance / size)^0.5 x 8 ms + 0.5 ms, one call after the other, run twenty
 * times faster than real.
 * Run: `npm run bench -- storage/elevators`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import { readBio, sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import type { Bio, Device } from '../../../storage/device/contract.ts';
import type { ElevatorName } from '../../../storage/device/elevators/elevators.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import { RequestQueue } from '../../../storage/device/request-queue.ts';
import { line } from './measure.ts';

const SECTORS = 65_536;
const READERS = 16;
const WRITERS = 4;
const BURST = 32;
const SECONDS = 4;
const FASTER = 20;
const ELEVATORS: readonly ElevatorName[] = ['noop', 'deadline'];

/** One head over a disk: calls one after the other, each as long as the head has to travel. */
class SeekingDisk implements Device {
  readonly name = 'seeking disk';
  readonly sectorBytes = 4096;
  readonly sectorCount = SECTORS;
  readonly durableWrites = false;
  private head = 0;
  private busy: Promise<void> = Promise.resolve();

  execute(bio: Bio): Promise<void> {
    this.busy = this.busy.then(() => this.move(bio));
    return this.busy;
  }

  executeSync(): void {
    throw new Error('the simulated disk has no synchronous way');
  }

  grow(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.busy;
  }

  private async move({ firstSector, sectorCount }: Bio): Promise<void> {
    const distance = Math.abs(firstSector - this.head) / SECTORS;
    this.head = firstSector + sectorCount;
    const seekMs = distance === 0 ? 0 : Math.sqrt(distance) * 8 + 0.5;
    const transferMs = sectorCount * 0.03;
    const endMs = performance.now() + (seekMs + transferMs) / FASTER;
    // Timers are too coarse for what is left of a seek.
    while (performance.now() < endMs) await pause(0);
  }
}

interface Outcome {
  readonly reads: number;
  readonly writes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly merges: number;
}

async function run(device: Device, elevator: ElevatorName, depth: number): Promise<Outcome> {
  const queue = new RequestQueue(device, { clock: systemClock, elevator, depth });
  const random = new SeededRandom(7);
  const endMs = performance.now() + SECONDS * 1000;
  const latenciesMs: number[] = [];
  let writes = 0;
  const reader = async (): Promise<void> => {
    const buffer = allocateAligned(device.sectorBytes);
    while (performance.now() < endMs) {
      const beganMs = performance.now();
      await queue.submit(readBio(device, sectorNumber(random.below(SECTORS)), [buffer]));
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  const writer = async (): Promise<void> => {
    const buffer = allocateAligned(device.sectorBytes);
    while (performance.now() < endMs) {
      const first = random.below(SECTORS - BURST * 2);
      // Every other block: bursts that merging cannot make one call of.
      const bios = Array.from({ length: BURST }, (_, index) =>
        writeBio(device, sectorNumber(first + index * 2), [buffer]),
      );
      await Promise.all(bios.map((bio) => queue.submit(bio)));
      writes += BURST;
    }
  };
  await Promise.all([
    ...Array.from({ length: READERS }, reader),
    ...Array.from({ length: WRITERS }, writer),
  ]);
  latenciesMs.sort((a, b) => a - b);
  const at = (part: number): number => latenciesMs[Math.floor(latenciesMs.length * part)];
  const { merges } = queue.statistics;
  return { reads: latenciesMs.length, writes, p50Ms: at(0.5), p99Ms: at(0.99), merges };
}

function show(what: string, { reads, writes, p50Ms, p99Ms, merges }: Outcome, speed: number): void {
  const perSecond = (count: number): string => (count / SECONDS / speed).toFixed(0);
  const latency = `p50 ${(p50Ms * speed).toFixed(1)} p99 ${(p99Ms * speed).toFixed(1)} ms`;
  line(
    what,
    `${perSecond(reads)} reads/s ${latency}, ${perSecond(writes)} writes/s, ${merges} merges`,
  );
}

for (const elevator of ELEVATORS) {
  // One call at a time: what a disk without a queue of its own is given.
  show(`disk that seeks, ${elevator}`, await run(new SeekingDisk(), elevator, 1), FASTER);
}

const directory = await mkdtemp(join(tmpdir(), 'flint-bench-'));
const volume = await FileVolume.open(directory);
const file = await volume.open('blocks', { create: true, sectorCount: SECTORS });
const filler = allocateAligned(1024 * 1024);
for (let sector = 0; sector < SECTORS; sector += filler.length / file.sectorBytes) {
  await file.execute(writeBio(file, sectorNumber(sector), [filler]));
}
for (const elevator of ELEVATORS) show(`file, ${elevator}`, await run(file, elevator, 32), 1);
await file.close();
await volume.close();
await rm(directory, { recursive: true });
