/**
 * One open device of a simulated volume: carries requests out in any order, with the faults that the volume draws.
 */
import { DeviceError } from '../../common/errors.ts';
import { checkBio } from './bio.ts';
import type { Bio, BioOperation, Device } from './contract.ts';
import type { FaultChances, FaultKind, FaultPlace } from './faults.ts';
import { survivorsOf, type PendingWrite, type SimulatedFile } from './simulated-file.ts';
import type { Random } from '../../common/random.ts';

/** What a device needs of its volume. */
export interface FaultSource {
  readonly random: Random;
  step(operation: BioOperation | 'GROW', place: FaultPlace): void;
  strikes(kind: keyof FaultChances, deviceName: string): boolean;
  count(kind: FaultKind, place: FaultPlace): void;
  fault(
    kind: FaultKind,
    place: FaultPlace,
    errno: string,
    operation: BioOperation | 'GROW',
  ): DeviceError;
  reserve(name: string, bytes: number): void;
}

/** What a request finds when it is handed over: its write, or the writes that its FLUSH covers. */
interface Begun {
  readonly write?: PendingWrite;
  readonly flushed?: ReadonlySet<PendingWrite>;
}

/** A request in flight. Turns left are what a stall adds. */
interface Running {
  readonly bio: Bio;
  readonly begun: Begun;
  turnsLeft: number;
  resolve(): void;
  reject(error: unknown): void;
}

const STALL_TURNS = 50;
/** A misdirected write lands at most this many sectors away. */
const MISDIRECTED_SECTORS = 16;

export class SimulatedDevice implements Device {
  readonly name: string;
  readonly durableWrites: boolean;
  private readonly file: SimulatedFile;
  private readonly source: FaultSource;
  private running: Running[] = [];
  private ticking = false;
  private state: 'open' | 'closed' | 'gone' = 'open';

  constructor(name: string, file: SimulatedFile, source: FaultSource, durableWrites: boolean) {
    this.name = name;
    this.file = file;
    this.source = source;
    this.durableWrites = durableWrites;
  }

  get sectorBytes(): number {
    return this.file.sectorBytes;
  }

  get sectorCount(): number {
    return this.file.sectorCount;
  }

  execute(bio: Bio): Promise<void> {
    return new Promise((resolve, reject) => {
      const begun = this.begin(bio);
      const stalled = this.source.strikes('stall', this.name);
      if (stalled) this.source.count('stall', this.placeOf(bio));
      const turnsLeft = stalled ? STALL_TURNS : 0;
      this.running.push({ bio, begun, turnsLeft, resolve, reject });
      this.tick();
    });
  }

  executeSync(bio: Bio): void {
    if (bio.operation === 'DISCARD') {
      throw new DeviceError('EINVAL', `${this.name}: DISCARD cannot be synchronous`);
    }
    this.carryOut(bio, this.begin(bio));
  }

  async grow(sectorCount: number): Promise<void> {
    this.checkState();
    this.source.step('GROW', { device: this.name, firstSector: this.sectorCount, sectorCount: 0 });
    this.checkState();
    const sectors = sectorCount - this.file.sectorCount;
    if (sectors <= 0) return;
    this.source.reserve(this.name, sectors * this.sectorBytes);
    this.file.sectorCount = sectorCount;
    await Promise.resolve();
  }

  async close(): Promise<void> {
    while (this.running.length > 0) await new Promise((resolve) => setImmediate(resolve));
    if (this.state === 'open') this.state = 'closed';
  }

  /** For the volume: the power is gone. Nothing in flight is answered but with ENODEV. */
  losePower(): void {
    this.state = 'gone';
    const { running } = this;
    this.running = [];
    for (const request of running) request.reject(this.stateError());
  }

  /** Takes a request in. A WRITE is pending from now on. */
  private begin(bio: Bio): Begun {
    this.checkState();
    checkBio(bio, this);
    const write =
      bio.operation === 'WRITE' ? this.file.begin(bio.firstSector, bio.buffers) : undefined;
    try {
      // Last, so that power may go while this very write is under way.
      this.source.step(bio.operation, this.placeOf(bio));
    } catch (error) {
      if (write !== undefined) this.file.forget(write);
      throw error;
    }
    this.checkState();
    if (write !== undefined) return { write };
    return bio.operation === 'FLUSH' ? { flushed: this.file.landedWrites() } : {};
  }

  /** Each turn one request of those in flight ends, whichever the seed picks. */
  private tick(): void {
    if (this.ticking) return;
    this.ticking = true;
    setImmediate(() => {
      this.ticking = false;
      for (const request of this.running) request.turnsLeft -= 1;
      const ready = this.running.filter((request) => request.turnsLeft < 0);
      const chosen = ready[this.source.random.below(Math.max(1, ready.length))];
      if (chosen !== undefined) this.end(chosen);
      if (this.running.length > 0) this.tick();
    });
  }

  private end(request: Running): void {
    this.running = this.running.filter((other) => other !== request);
    try {
      this.carryOut(request.bio, request.begun);
      request.resolve();
    } catch (error) {
      request.reject(error);
    }
  }

  private carryOut(bio: Bio, { write, flushed }: Begun): void {
    switch (bio.operation) {
      case 'READ':
        this.read(bio);
        break;
      case 'WRITE':
        if (write !== undefined) this.write(bio, write);
        break;
      case 'FLUSH':
        if (this.source.strikes('flushError', this.name)) throw this.ioError('flushError', bio);
        if (flushed !== undefined) this.file.harden(flushed);
        break;
      case 'DISCARD':
        this.file.discard(bio.firstSector, bio.sectorCount);
        break;
    }
  }

  private read(bio: Bio): void {
    if (this.source.strikes('readError', this.name)) throw this.ioError('readError', bio);
    if (this.source.strikes('bitRot', this.name)) {
      const sector = bio.firstSector + this.source.random.below(bio.sectorCount);
      this.source.count('bitRot', { device: this.name, firstSector: sector, sectorCount: 1 });
      this.file.flipBit(sector, this.source.random.below(this.sectorBytes * 8));
    }
    this.file.readInto(bio.firstSector, bio.buffers);
  }

  private write(bio: Bio, write: PendingWrite): void {
    const landed = this.land(bio, write);
    this.file.land(landed);
    if (bio.fua || this.durableWrites) this.file.harden(new Set([landed]));
  }

  /** Where the write ends up: in its place, elsewhere, in part, or nowhere. */
  private land(bio: Bio, write: PendingWrite): PendingWrite {
    const { random } = this.source;
    if (this.source.strikes('noSpace', this.name)) {
      this.file.forget(write);
      throw this.source.fault('noSpace', this.placeOf(bio), 'ENOSPC', 'WRITE');
    }
    if (this.source.strikes('writeError', this.name)) {
      this.file.forget(write);
      this.keepSome(write);
      throw this.ioError('writeError', bio);
    }
    if (this.source.strikes('lostWrite', this.name)) {
      this.file.forget(write);
      this.source.count('lostWrite', this.placeOf(bio));
      return { ...write, sectors: [] };
    }
    if (this.source.strikes('misdirectedWrite', this.name)) {
      this.file.forget(write);
      const room = this.sectorCount - bio.sectorCount;
      const away = bio.firstSector + 1 + random.below(MISDIRECTED_SECTORS);
      const landedAt = away <= room ? away : random.below(room + 1);
      this.source.count('misdirectedWrite', { ...this.placeOf(bio), landedAt });
      return this.file.begin(landedAt, bio.buffers);
    }
    return write;
  }

  private keepSome(write: PendingWrite): void {
    const survivors = survivorsOf('scattered', write.sectors.length, this.source.random);
    for (const [index, bytes] of write.sectors.entries()) {
      if (survivors[index] !== true || bytes === undefined) continue;
      this.file.overwrite(write.firstSector + index, bytes);
    }
  }

  private checkState(): void {
    if (this.state !== 'open') throw this.stateError();
  }

  private stateError(): DeviceError {
    return this.state === 'gone'
      ? new DeviceError('ENODEV', `${this.name}: the power is gone`)
      : new DeviceError('EBADF', `${this.name}: the device is closed`);
  }

  private ioError(kind: 'readError' | 'writeError' | 'flushError', bio: Bio): DeviceError {
    return this.source.fault(kind, this.placeOf(bio), 'EIO', bio.operation);
  }

  private placeOf({ firstSector, sectorCount }: Bio): FaultPlace {
    return { device: this.name, firstSector, sectorCount };
  }
}
