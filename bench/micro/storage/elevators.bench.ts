/**
 * Question: what does an elevator that sorts by sector and prefers reads buy, on flash and on a disk that seeks?
 *
 * Load: 16 readers of one random 4 KiB block each at a time, and 4 writers of bursts of 32 blocks: two stream neighbours, two
 * write every other block, which no merging makes one call of.
 * Estimate beforehand: a disk head at 3 to 10 ms a seek serves about 150 random blocks a second; sorted, a batch of 16 shares
 * its seeks (3 times more), and reads no longer wait behind bursts of writes (p99 a tenth). Flash has no head: both alike, with
 * some microseconds more for sorting.
 * The disk is simulated in virtual time, so its figures are the same on every machine: a call takes (distance / size)^0.5 x 8 ms
 * + 0.5 ms and 0.03 ms a block, one call after the other.
 * Run: `npm run bench -- storage/elevators`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, systemClock, type Clock } from '../../../common/clock.ts';
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
const FILE_SECONDS = 4;
const DISK_SECONDS = 120;
/** How far virtual time moves at a turn, milliseconds. */
const TICK_MS = 0.25;
const ELEVATORS: readonly ElevatorName[] = ['noop', 'deadline'];

/** One head over a disk: calls one after the other, each as long as the head has to travel. */
class SeekingDisk implements Device {
  readonly name = 'seeking disk';
  readonly sectorBytes = 4096;
  readonly sectorCount = SECTORS;
  readonly durableWrites = false;
  private readonly clock: Clock;
  private head = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The queue hands over one call at a time. */
  execute({ firstSector, sectorCount }: Bio): Promise<void> {
    const distance = Math.abs(firstSector - this.head) / SECTORS;
    this.head = firstSector + sectorCount;
    const seekMs = distance === 0 ? 0 : Math.sqrt(distance) * 8 + 0.5;
    return new Promise((resolve) => {
      this.clock.after(seekMs + sectorCount * 0.03, resolve);
    });
  }

  executeSync(): void {
    throw new Error('the simulated disk has no synchronous way');
  }

  grow(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Outcome {
  readonly reads: number;
  readonly writes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly merges: number;
}

interface Setting {
  readonly device: Device;
  readonly clock: Clock;
  readonly depth: number;
  readonly seconds: number;
}

async function run(elevator: ElevatorName, setting: Setting): Promise<Outcome> {
  const { device, clock, depth, seconds } = setting;
  const queue = new RequestQueue(device, { clock, elevator, depth });
  const random = new SeededRandom(7);
  const endMs = clock.monotonicMs() + seconds * 1000;
  const latenciesMs: number[] = [];
  let writes = 0;
  const reader = async (): Promise<void> => {
    const buffer = allocateAligned(device.sectorBytes);
    while (clock.monotonicMs() < endMs) {
      const beganMs = clock.monotonicMs();
      await queue.submit(readBio(device, sectorNumber(random.below(SECTORS)), [buffer]));
      latenciesMs.push(clock.monotonicMs() - beganMs);
    }
  };
  const writer = async (number: number): Promise<void> => {
    const buffer = allocateAligned(device.sectorBytes);
    const step = 1 + (number % 2);
    while (clock.monotonicMs() < endMs) {
      const first = random.below(SECTORS - BURST * 2);
      const bios = Array.from({ length: BURST }, (_, index) =>
        writeBio(device, sectorNumber(first + index * step), [buffer]),
      );
      await Promise.all(bios.map((bio) => queue.submit(bio)));
      writes += BURST;
    }
  };
  await Promise.all([
    ...Array.from({ length: READERS }, reader),
    ...Array.from({ length: WRITERS }, (_, number) => writer(number)),
  ]);
  latenciesMs.sort((a, b) => a - b);
  const at = (part: number): number => latenciesMs[Math.floor(latenciesMs.length * part)];
  const { merges } = queue.statistics;
  return { reads: latenciesMs.length, writes, p50Ms: at(0.5), p99Ms: at(0.99), merges };
}

function show(what: string, outcome: Outcome, seconds: number): void {
  const { reads, writes, p50Ms, p99Ms, merges } = outcome;
  const perSecond = (count: number): string => (count / seconds).toFixed(0);
  const latency = `p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} ms`;
  line(
    what,
    `${perSecond(reads)} reads/s ${latency}, ${perSecond(writes)} writes/s, ${perSecond(merges)} merges/s`,
  );
}

/** Moves virtual time while anything is under way. */
async function inVirtualTime<T>(clock: ManualClock, running: Promise<T>): Promise<T> {
  let isDone = false;
  const ended = running.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(TICK_MS);
  }
  return ended;
}

for (const elevator of ELEVATORS) {
  const clock = new ManualClock();
  // One call at a time: what a disk without a queue of its own is given.
  const setting = { device: new SeekingDisk(clock), clock, depth: 1, seconds: DISK_SECONDS };
  show(
    `disk that seeks, ${elevator}`,
    await inVirtualTime(clock, run(elevator, setting)),
    DISK_SECONDS,
  );
}

const directory = await mkdtemp(join(tmpdir(), 'flint-bench-'));
const volume = await FileVolume.open(directory);
const file = await volume.open('blocks', { create: true, sectorCount: SECTORS });
const filler = allocateAligned(1024 * 1024);
for (let sector = 0; sector < SECTORS; sector += filler.length / file.sectorBytes) {
  await file.execute(writeBio(file, sectorNumber(sector), [filler]));
}
for (const elevator of ELEVATORS) {
  const setting = { device: file, clock: systemClock, depth: 32, seconds: FILE_SECONDS };
  show(`file, ${elevator}`, await run(elevator, setting), FILE_SECONDS);
}
await file.close();
await volume.close();
await rm(directory, { recursive: true });
