/**
 * A disk that fails on purpose, by a seed: tears, loses, reorders and misdirects writes, rots bits, returns EIO and
 * ENOSPC, stalls, and loses power between any two steps.
 *
 * Every sector has a durable content and, on top, the writes that were not made durable yet. A power cut lets some of
 * those survive, whole, torn or not at all, and kills all open devices; opening them again shows what is left.
 * Equal seeds and equal requests give equal faults.
 * Tests: test/contracts/device.ts, test/storage/device/simulated-volume.test.ts.
 */
import { DeviceError } from '../../common/errors.ts';
import { SeededRandom, type Random } from '../../common/random.ts';
import type { BioOperation, Device, DeviceOpenOptions, Volume } from './contract.ts';
import {
  FaultCounter,
  type FaultChances,
  type FaultCounts,
  type FaultEvent,
  type FaultKind,
  type FaultPlace,
} from './faults.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { SimulatedFile, type Medium } from './simulated-file.ts';

export interface SimulatedVolumeOptions {
  readonly seed: number;
  readonly faults?: FaultChances;
  /** Devices that faults (but for power cuts) befall; default all. */
  readonly faulty?: (deviceName: string) => boolean;
  /** Default 4096. */
  readonly sectorBytes?: number;
  /**
   * What the medium writes whole or not at all; default a sector. Less (512) makes a power cut leave sectors that are half
   * old, half new.
   */
  readonly atomicBytes?: number;
  /**
   * What the medium rewrites at once; default a sector. More than a sector (a drive of "512e", or a store that was made for
   * smaller sectors): a write torn by a power cut takes its neighbours within the same block with it.
   */
  readonly physicalBytes?: number;
  /** Space of all devices together; beyond it ENOSPC. Default 1 TiB. */
  readonly capacityBytes?: number;
  /** Hears of every fault when it happens. */
  readonly onFault?: (event: FaultEvent) => void;
}

/** When a planned fault strikes: on the n-th request from now, n >= 1. */
export type PlannedFault =
  | { readonly kind: 'powerCut'; readonly atStep: number }
  | {
      readonly kind: 'error';
      readonly atStep: number;
      /** ENOSPC waits for the next request that may need space: a WRITE or a growth. */
      readonly errno: string;
    };

/** What a step of a volume does: a bio's operation, or a growth. */
export type StepOperation = BioOperation | 'GROW';

export class SimulatedVolume implements Volume {
  readonly sectorBytes: number;
  readonly random: Random;
  private readonly faultCounter: FaultCounter;
  private readonly medium: Medium;
  private chances: FaultChances;
  private readonly isFaulty: (deviceName: string) => boolean;
  private capacityBytes: number;
  private readonly files = new Map<string, SimulatedFile>();
  private devices = new Set<SimulatedDevice>();
  private planned: PlannedFault[] = [];
  private stepCount = 0;
  /** Counts power cuts: a device opened before the last one is gone. */
  private life = 0;

  constructor(options: SimulatedVolumeOptions) {
    this.sectorBytes = options.sectorBytes ?? 4096;
    this.random = new SeededRandom(options.seed);
    this.chances = options.faults ?? {};
    this.isFaulty = options.faulty ?? (() => true);
    this.capacityBytes = options.capacityBytes ?? 2 ** 40;
    this.medium = {
      sectorBytes: this.sectorBytes,
      atomicBytes: options.atomicBytes ?? this.sectorBytes,
      physicalBytes: options.physicalBytes ?? this.sectorBytes,
    };
    this.faultCounter = new FaultCounter(options.onFault);
  }

  /** Requests so far, and how often each fault happened. */
  get steps(): number {
    return this.stepCount;
  }

  get faults(): FaultCounts {
    return this.faultCounter.all;
  }

  /** Changes the chances from now on, for instance to {} while a test checks what survived. */
  setFaults(chances: FaultChances): void {
    this.chances = chances;
  }

  /** Somebody else takes space on the disk, or gives it back. Below what is used already nothing more fits. */
  setCapacity(capacityBytes: number): void {
    this.capacityBytes = capacityBytes;
  }

  /** Plans one fault. Steps count requests of all devices, READs and FLUSHes included, and grow(). */
  plan(fault: PlannedFault): void {
    this.planned.push({ ...fault, atStep: this.stepCount + fault.atStep });
  }

  /** What was planned for the life before strikes no later one. */
  forgetPlans(): void {
    this.planned = [];
  }

  /**
   * Loses power now: of the writes that are not durable some survive, by the seed. Devices opened before answer ENODEV.
   */
  powerCut(): void {
    this.life += 1;
    this.faultCounter.add('powerCut', EVERYWHERE);
    for (const device of this.devices) device.losePower();
    this.devices = new Set();
    for (const [device, file] of this.files) {
      file.losePower(this.random, (kind, firstSector, sectorCount) =>
        this.faultCounter.add(kind, { device, firstSector, sectorCount }),
      );
    }
    this.planned = [];
  }

  /** Flips a bit of what is stored, for good. */
  rot(name: string, sector: number, bit: number): void {
    this.file(name).flipBit(sector, bit);
    this.faultCounter.add('bitRot', { device: name, firstSector: sector, sectorCount: 1 });
  }

  /** Flips a bit somewhere in what is stored on some device. @returns false when nothing is */
  rotSomewhere(accepts: (deviceName: string) => boolean): boolean {
    const names = [...this.files.keys()].filter(accepts);
    const name = names[this.random.below(names.length)];
    if (name === undefined) return false;
    const sector = this.file(name).someSector(this.random);
    if (sector === undefined) return false;
    this.rot(name, sector, this.random.below(this.sectorBytes * 8));
    return true;
  }

  /** What a sector holds now, as a reader would see it. */
  peek(name: string, sector: number): Buffer {
    const bytes = Buffer.alloc(this.file(name).sectorBytes);
    this.file(name).readInto(sector, [bytes]);
    return bytes;
  }

  /** Puts bytes there durably behind everybody's back, whole sectors. */
  poke(name: string, firstSector: number, bytes: Buffer): void {
    this.file(name).overwrite(firstSector, bytes);
  }

  /** The same disk contents again with another seed: to try many ends of one story. Pending writes are not taken along. */
  copy(seed: number): SimulatedVolume {
    const copy = new SimulatedVolume({
      seed,
      sectorBytes: this.sectorBytes,
      capacityBytes: this.capacityBytes,
    });
    for (const [name, file] of this.files) copy.files.set(name, file.copyDurable());
    return copy;
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.files.keys()].sort());
  }

  async open(name: string, options: DeviceOpenOptions = {}): Promise<Device> {
    await Promise.resolve();
    if (!this.files.has(name) && options.create === true) {
      const sectorBytes = options.sectorBytes ?? this.sectorBytes;
      const sectorCount = options.sectorCount ?? 0;
      this.reserve(name, sectorCount * sectorBytes);
      this.files.set(name, new SimulatedFile({ ...this.medium, sectorBytes }, sectorCount));
    }
    const file = this.file(name);
    const device = new SimulatedDevice(name, file, this, options.durableWrites ?? false);
    this.devices.add(device);
    return device;
  }

  remove(name: string): Promise<void> {
    this.files.delete(name);
    return Promise.resolve();
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const freeBytes = this.capacityBytes - this.usedBytes();
    return Promise.resolve({ freeBytes, totalBytes: this.capacityBytes });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** For the devices: counts a step and carries out what was planned for it. @throws DeviceError */
  step(operation: StepOperation, place: FaultPlace): void {
    this.stepCount += 1;
    const mayNeedSpace = operation === 'WRITE' || operation === 'GROW';
    const due = this.planned.filter(
      (fault) =>
        fault.atStep <= this.stepCount &&
        (fault.kind === 'powerCut' || fault.errno !== 'ENOSPC' || mayNeedSpace),
    );
    if (due.length === 0) return;
    this.planned = this.planned.filter((fault) => !due.includes(fault));
    for (const fault of due) {
      if (fault.kind === 'powerCut') this.powerCut();
      else throw this.fault(errorKind(operation, fault.errno), place, fault.errno, operation);
    }
  }

  /** For the devices: draws whether a fault happens now. Who asked reports it with fault() or count(). */
  strikes(kind: keyof FaultChances, deviceName: string): boolean {
    const chance = this.chances[kind] ?? 0;
    if (chance === 0 || !this.isFaulty(deviceName)) return false;
    return this.random.next() < chance;
  }

  /** For the devices: counts a fault that nobody is told of. */
  count(kind: FaultKind, place: FaultPlace): void {
    this.faultCounter.add(kind, place);
  }

  /** For the devices: counts a fault and makes its error. */
  fault(kind: FaultKind, place: FaultPlace, errno: string, operation: StepOperation): DeviceError {
    const number = this.faultCounter.add(kind, place);
    return new DeviceError(
      errno,
      `${place.device}: ${operation} failed: simulated fault #${number}`,
    );
  }

  /** For the devices. @throws DeviceError ENOSPC when another `bytes` do not fit. */
  reserve(name: string, bytes: number): void {
    if (this.usedBytes() + bytes > this.capacityBytes || this.strikes('noSpace', name)) {
      const place = { device: name, firstSector: 0, sectorCount: 0 };
      throw this.fault('noSpace', place, 'ENOSPC', 'GROW');
    }
  }

  private file(name: string): SimulatedFile {
    const file = this.files.get(name);
    if (file === undefined) throw new DeviceError('ENOENT', `${name}: no such device`);
    return file;
  }

  private usedBytes(): number {
    let bytes = 0;
    for (const file of this.files.values()) bytes += file.sectorCount * file.sectorBytes;
    return bytes;
  }
}

const EVERYWHERE: FaultPlace = { device: '', firstSector: 0, sectorCount: 0 };

/** What a planned error of a request counts as. */
function errorKind(operation: StepOperation, errno: string): FaultKind {
  if (errno === 'ENOSPC') return 'noSpace';
  if (operation === 'READ') return 'readError';
  return operation === 'FLUSH' ? 'flushError' : 'writeError';
}
