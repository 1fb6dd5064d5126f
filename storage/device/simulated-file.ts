/**
 * What a simulated disk holds of one file: durable sectors, and on top the writes that are not durable yet.
 */
import type { Random } from '../../common/random.ts';
import type { FaultKind } from './faults.ts';
import { SectorStore, sectorsOf } from './sector-store.ts';

/** One write between its begin and its durability. */
export interface PendingWrite {
  readonly firstSector: number;
  /** Its sectors; undefined for those that something later made irrelevant. */
  readonly sectors: (Buffer | undefined)[];
  /** Carried out and acknowledged: readers see it, and a FLUSH handed over from now on makes it durable. */
  landed: boolean;
}

/** What becomes of a pending write when the power goes. */
type Fate = 'whole' | 'lost' | 'begun' | 'scattered';
const FATES: readonly Fate[] = ['whole', 'lost', 'begun', 'scattered'];

/** What a power cut can do to what is being written. */
export interface Medium {
  readonly sectorBytes: number;
  /** Written whole or not at all: a sector, or a part of one. */
  readonly atomicBytes: number;
  /** Rewritten at once: a sector, or several, which a torn write spoils together. */
  readonly physicalBytes: number;
}

export class SimulatedFile {
  readonly sectorBytes: number;
  sectorCount: number;
  private readonly durable: SectorStore;
  private readonly medium: Medium;
  private pending: PendingWrite[] = [];

  constructor(medium: Medium, sectorCount: number) {
    this.sectorBytes = medium.sectorBytes;
    this.medium = medium;
    this.sectorCount = sectorCount;
    this.durable = new SectorStore(medium.sectorBytes);
  }

  /** Begins a write: a power cut from now on may leave any part of it behind. */
  begin(firstSector: number, buffers: readonly Buffer[]): PendingWrite {
    const write = { firstSector, sectors: sectorsOf(buffers, this.sectorBytes), landed: false };
    this.pending.push(write);
    return write;
  }

  /** The write is done: it covers what landed before it. */
  land(write: PendingWrite): void {
    this.forget(write);
    this.pending.push(write);
    write.landed = true;
  }

  /** A pending write that never reached the medium after all. */
  forget(write: PendingWrite): void {
    this.pending = this.pending.filter((other) => other !== write);
  }

  /** The writes that a FLUSH handed over now has to make durable. */
  landedWrites(): ReadonlySet<PendingWrite> {
    return new Set(this.pending.filter((write) => write.landed));
  }

  /** Makes writes durable, in the order in which they landed. */
  harden(chosen: ReadonlySet<PendingWrite>): void {
    for (const [at, write] of this.pending.entries()) {
      if (!chosen.has(write)) continue;
      // What landed earlier on the same sectors must not come back over this one.
      for (const earlier of this.pending.slice(0, at)) {
        if (earlier.landed) cutOut(earlier, write.firstSector, write.sectors.length);
      }
      for (const [index, bytes] of write.sectors.entries()) {
        if (bytes !== undefined) this.durable.set(write.firstSector + index, bytes);
      }
    }
    this.pending = this.pending.filter((write) => !chosen.has(write));
  }

  readInto(firstSector: number, buffers: readonly Buffer[]): void {
    this.durable.readInto(firstSector, buffers);
    for (const write of this.pending) {
      if (write.landed) overlay(write, firstSector, buffers, this.sectorBytes);
    }
  }

  discard(firstSector: number, sectorCount: number): void {
    for (let sector = firstSector; sector < firstSector + sectorCount; sector += 1) {
      this.durable.clear(sector);
    }
    for (const write of this.pending) {
      if (write.landed) cutOut(write, firstSector, sectorCount);
    }
  }

  /** Flips a bit in the durable content and in every pending write of that sector. */
  flipBit(sector: number, bit: number): void {
    const at = bit % (this.sectorBytes * 8);
    const stored = Buffer.from(this.durable.get(sector) ?? Buffer.alloc(this.sectorBytes));
    flip(stored, at);
    this.durable.set(sector, stored);
    for (const write of this.pending) {
      const bytes = write.sectors[sector - write.firstSector];
      if (bytes !== undefined) flip(bytes, at);
    }
  }

  /** One of the sectors that hold something; undefined when none does. */
  someSector(random: Random): number | undefined {
    const { heldSectors } = this.durable;
    if (heldSectors === 0) return undefined;
    return this.durable.nthHeld(random.below(heldSectors));
  }

  overwrite(firstSector: number, bytes: Buffer): void {
    for (const [index, sector] of sectorsOf([bytes], this.sectorBytes).entries()) {
      this.durable.set(firstSector + index, sector);
    }
  }

  copyDurable(): SimulatedFile {
    const copy = new SimulatedFile(this.medium, this.sectorCount);
    for (let sector = 0; sector < this.sectorCount; sector += 1) {
      const bytes = this.durable.get(sector);
      if (bytes !== undefined) copy.durable.set(sector, Buffer.from(bytes));
    }
    return copy;
  }

  /** Decides, write by write in their order, what of the pending ones survives. */
  losePower(random: Random, count: FaultListener): void {
    let earlierLost = false;
    for (const write of this.pending) {
      const { firstSector, sectors } = write;
      const fate = FATES[random.below(FATES.length)] ?? 'lost';
      const survivors = survivorsOf(fate, sectors.length, random);
      const kept = survivors.filter(Boolean).length;
      if (kept === 0) count('lostUnsynced', firstSector, sectors.length);
      else if (kept < sectors.length) count('tornWrite', firstSector, sectors.length);
      // What was written later is on the medium, what was written before it is not.
      if (kept > 0 && earlierLost) count('reorderedWrite', firstSector, sectors.length);
      earlierLost ||= kept < sectors.length;
      for (const [index, bytes] of sectors.entries()) {
        if (survivors[index] === true && bytes !== undefined)
          this.durable.set(firstSector + index, bytes);
      }
      const border = survivors.indexOf(false);
      if (border >= 0 && kept > 0) this.spoilBlock(firstSector + border, random);
      if (border >= 0 && this.medium.atomicBytes < this.sectorBytes) {
        this.tear(firstSector + border, sectors[border], random);
        count('tornWrite', firstSector + border, 1);
      }
    }
    this.pending = [];
  }

  /** Leaves a sector of which only some parts were written. */
  private tear(sector: number, bytes: Buffer | undefined, random: Random): void {
    if (bytes === undefined) return;
    const torn = Buffer.from(this.durable.get(sector) ?? Buffer.alloc(this.sectorBytes));
    const { atomicBytes } = this.medium;
    for (let offset = 0; offset < this.sectorBytes; offset += atomicBytes) {
      if (random.below(2) === 0) bytes.copy(torn, offset, offset, offset + atomicBytes);
    }
    this.durable.set(sector, torn);
  }

  /** Power went while the medium rewrote the block of this sector: nothing in it can be read as it was. */
  private spoilBlock(sector: number, random: Random): void {
    const sectors = this.medium.physicalBytes / this.sectorBytes;
    if (sectors <= 1) return;
    const first = Math.floor(sector / sectors) * sectors;
    for (let index = first; index < first + sectors; index += 1) {
      this.durable.set(index, random.bytes(this.sectorBytes));
    }
  }
}

/** Hears of what a power cut did to a write. */
type FaultListener = (kind: FaultKind, firstSector: number, sectorCount: number) => void;

/** Which sectors of a torn write are there, as a disk's cache may leave them: a beginning, or any of them. */
export function survivorsOf(fate: Fate, sectorCount: number, random: Random): boolean[] {
  const begun = random.below(sectorCount + 1);
  return Array.from({ length: sectorCount }, (_, index) => {
    switch (fate) {
      case 'whole':
        return true;
      case 'lost':
        return false;
      case 'begun':
        return index < begun;
      case 'scattered':
        return random.below(2) === 0;
    }
  });
}

function overlay(
  write: PendingWrite,
  firstSector: number,
  buffers: readonly Buffer[],
  sectorBytes: number,
): void {
  let sector = firstSector;
  for (const buffer of buffers) {
    for (let offset = 0; offset < buffer.length; offset += sectorBytes) {
      write.sectors[sector - write.firstSector]?.copy(buffer, offset);
      sector += 1;
    }
  }
}

/** Forgets the sectors of a write that lie inside a range. */
function cutOut(write: PendingWrite, firstSector: number, sectorCount: number): void {
  const from = Math.max(0, firstSector - write.firstSector);
  const to = Math.min(write.sectors.length, firstSector + sectorCount - write.firstSector);
  for (let index = from; index < to; index += 1) write.sectors[index] = undefined;
}

function flip(bytes: Buffer, bit: number): void {
  const at = bit >> 3;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
}
