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
import type { Device, DeviceOpenOptions, Volume } from './contract.ts';
import { FaultCounter, type FaultChances, type FaultCounts, type FaultKind } from './faults.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { SimulatedFile } from './simulated-file.ts';

export interface SimulatedVolumeOptions {
  readonly seed: number;
  readonly faults?: FaultChances;
  /** Devices that faults (but for power cuts) befall; default all. */
  readonly faulty?: (deviceName: string) => boolean;
  /** Default 4096. */
  readonly sectorBytes?: number;
  /** Space of all devices together; beyond it ENOSPC. Default 1 TiB. */
  readonly capacityBytes?: number;
}

/** When a planned fault strikes: on the n-th request from now, n >= 1. */
export type PlannedFault =
  | { readonly kind: 'powerCut'; readonly atStep: number }
  | { readonly kind: 'error'; readonly atStep: number; readonly errno: string };

export class SimulatedVolume implements Volume {
  readonly sectorBytes: number;
  readonly random: Random;
  private readonly faultCounter = new FaultCounter();
  private chances: FaultChances;
  private readonly isFaulty: (deviceName: string) => boolean;
  private readonly capacityBytes: number;
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

  /** Plans one fault. Steps count requests of all devices, READs and FLUSHes included, and grow(). */
  plan(fault: PlannedFault): void {
    this.planned.push({ ...fault, atStep: this.stepCount + fault.atStep });
  }

  /**
   * Loses power now: of the writes that are not durable some survive, by the seed. Devices opened before answer ENODEV.
   */
  powerCut(): void {
    this.life += 1;
    this.faultCounter.add('powerCut');
    for (const device of this.devices) device.losePower();
    this.devices = new Set();
    for (const file of this.files.values()) {
      file.losePower(this.random, (kind) => this.faultCounter.add(kind));
    }
    this.planned = [];
  }

  /** Flips a bit of what is stored, for good. */
  rot(name: string, sector: number, bit: number): void {
    this.file(name).flipBit(sector, bit);
    this.faultCounter.add('bitRot');
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
      this.files.set(name, new SimulatedFile(sectorBytes, sectorCount));
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
  step(deviceName: string): void {
    this.stepCount += 1;
    const due = this.planned.filter((fault) => fault.atStep <= this.stepCount);
    if (due.length === 0) return;
    this.planned = this.planned.filter((fault) => fault.atStep > this.stepCount);
    for (const fault of due) {
      if (fault.kind === 'powerCut') this.powerCut();
      else throw new DeviceError(fault.errno, `${deviceName}: planned fault`);
    }
  }

  /** For the devices: draws whether a fault happens now, and counts it. */
  strikes(kind: keyof FaultChances, deviceName: string): boolean {
    const chance = this.chances[kind] ?? 0;
    if (chance === 0 || !this.isFaulty(deviceName)) return false;
    if (this.random.next() >= chance) return false;
    this.faultCounter.add(kind);
    return true;
  }

  /** For the devices: counts what a power cut or a failed write did. */
  count(kind: FaultKind): void {
    this.faultCounter.add(kind);
  }

  /** For the devices. @throws DeviceError ENOSPC when another `bytes` do not fit. */
  reserve(name: string, bytes: number): void {
    if (this.usedBytes() + bytes > this.capacityBytes || this.strikes('noSpace', name)) {
      throw new DeviceError('ENOSPC', `${name}: no space left on the simulated volume`);
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
