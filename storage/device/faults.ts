/**
 * What a simulated disk does wrong, how often, and how often it did.
 */

/** Chances per request, 0 to 1. Absent: never. */
export interface FaultChances {
  /** A READ fails with EIO. */
  readonly readError?: number;
  /** A WRITE fails with EIO; any of its sectors may have been written. */
  readonly writeError?: number;
  /** A FLUSH fails with EIO; nothing became durable. */
  readonly flushError?: number;
  /** A WRITE or grow() fails with ENOSPC. */
  readonly noSpace?: number;
  /** A WRITE is acknowledged and lands nowhere. */
  readonly lostWrite?: number;
  /** A WRITE is acknowledged and lands some sectors away. */
  readonly misdirectedWrite?: number;
  /** One bit of a sector flips for good just before it is read. */
  readonly bitRot?: number;
  /** A request takes long: others overtake it. */
  readonly stall?: number;
}

export type FaultKind =
  keyof FaultChances | 'powerCut' | 'tornWrite' | 'lostUnsynced' | 'reorderedWrite';

/** One fault that happened: for who wants to know what noticed it. */
export interface FaultEvent {
  /** Counts the faults of a volume from 1. The DeviceError that a fault makes names it: "simulated fault #17". */
  readonly number: number;
  readonly kind: FaultKind;
  /** Empty for a power cut, which befalls all. */
  readonly device: string;
  readonly firstSector: number;
  readonly sectorCount: number;
  /** Where a misdirected write landed instead. */
  readonly landedAt?: number;
}

/** Which sectors a fault befell. */
export type FaultPlace = Pick<FaultEvent, 'device' | 'firstSector' | 'sectorCount' | 'landedAt'>;

/** How often each fault happened. */
export type FaultCounts = Readonly<Record<FaultKind, number>>;

export class FaultCounter {
  private readonly counts: Record<FaultKind, number> = {
    readError: 0,
    writeError: 0,
    flushError: 0,
    noSpace: 0,
    lostWrite: 0,
    misdirectedWrite: 0,
    bitRot: 0,
    stall: 0,
    powerCut: 0,
    tornWrite: 0,
    lostUnsynced: 0,
    reorderedWrite: 0,
  };
  private readonly onFault: (event: FaultEvent) => void;
  private total = 0;

  constructor(onFault: (event: FaultEvent) => void = () => {}) {
    this.onFault = onFault;
  }

  /** @returns the fault's number */
  add(kind: FaultKind, place: FaultPlace): number {
    this.counts[kind] += 1;
    this.total += 1;
    this.onFault({ number: this.total, kind, ...place });
    return this.total;
  }

  get all(): FaultCounts {
    return { ...this.counts };
  }
}
