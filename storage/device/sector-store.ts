/**
 * Sectors held in memory: what memory and simulated devices are made of. A sector never written reads as zeros.
 */

export class SectorStore {
  private readonly sectorBytes: number;
  private readonly sectors = new Map<number, Buffer>();

  constructor(sectorBytes: number) {
    this.sectorBytes = sectorBytes;
  }

  /** Sectors that hold something. */
  get heldSectors(): number {
    return this.sectors.size;
  }

  /** Number of the n-th sector that holds something, from 0, in the order in which they were first written. */
  nthHeld(n: number): number | undefined {
    let left = n;
    for (const sector of this.sectors.keys()) {
      if (left === 0) return sector;
      left -= 1;
    }
    return undefined;
  }

  /** The stored bytes of one sector, or undefined for zeros. Not to be changed by the caller. */
  get(sector: number): Buffer | undefined {
    return this.sectors.get(sector);
  }

  /** Keeps `bytes` itself (one whole sector); the caller does not touch it afterwards. */
  set(sector: number, bytes: Buffer): void {
    this.sectors.set(sector, bytes);
  }

  /** Makes one sector zeros again. */
  clear(sector: number): void {
    this.sectors.delete(sector);
  }

  /** Copies sectors into `buffers`, in order. */
  readInto(firstSector: number, buffers: readonly Buffer[]): void {
    let sector = firstSector;
    for (const buffer of buffers) {
      for (let offset = 0; offset < buffer.length; offset += this.sectorBytes) {
        const stored = this.sectors.get(sector);
        if (stored === undefined) buffer.fill(0, offset, offset + this.sectorBytes);
        else stored.copy(buffer, offset);
        sector += 1;
      }
    }
  }
}

/** Copies of the sectors in `buffers`, in order. */
export function sectorsOf(buffers: readonly Buffer[], sectorBytes: number): Buffer[] {
  const sectors: Buffer[] = [];
  for (const buffer of buffers) {
    for (let offset = 0; offset < buffer.length; offset += sectorBytes) {
      sectors.push(Buffer.from(buffer.subarray(offset, offset + sectorBytes)));
    }
  }
  return sectors;
}
