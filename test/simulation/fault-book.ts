/**
 * Which faults happened, and what noticed each: the table that a run prints.
 *
 * A fault that makes an error has its number in the error's message; a silent one is known by where it struck, and found by
 * the place that a CorruptionError names. Each is put down to the first who noticed it.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { FaultEvent, FaultKind } from '../../storage/device/faults.ts';

/** How often each detector noticed each kind of fault: detectors by kind. */
export type Detections = Record<string, Record<string, number>>;

interface OpenFault {
  readonly event: FaultEvent;
  detector: string | undefined;
}

const SILENT = new Set<FaultKind>(['lostWrite', 'misdirectedWrite', 'bitRot']);
const OF_POWER_CUT = new Set<FaultKind>([
  'powerCut',
  'tornWrite',
  'lostUnsynced',
  'reorderedWrite',
]);
const NOT_MET = 'nobody: nothing that lives was read from there';
const NOT_REPORTED = 'nobody: tried again, or not needed';

export class FaultBook {
  private readonly faults: OpenFault[] = [];
  private readonly sectorBytes: number;

  constructor(sectorBytes: number) {
    this.sectorBytes = sectorBytes;
  }

  readonly add = (event: FaultEvent): void => {
    this.faults.push({ event, detector: undefined });
  };

  /** Whether any silent fault struck so far. */
  get hasSilent(): boolean {
    return this.faults.some(({ event }) => SILENT.has(event.kind));
  }

  /** An error came to somebody. @param who whom it reached */
  note(error: unknown, who: string): void {
    for (let each = error; each instanceof Error; each = each.cause) {
      if (each instanceof DeviceError)
        this.noteText(each.message, `DeviceError ${each.errno}: ${who}`);
      if (each instanceof CorruptionError) {
        this.notePlace(each.message, `${each.part}: ${each.kind}`);
      }
    }
  }

  /** A line of the engine's log may name a fault, too. */
  noteText(text: string, detector: string): void {
    for (const [, number] of text.matchAll(/simulated fault #(\d+)/g)) {
      const fault = this.faults[Number(number) - 1];
      if (fault !== undefined) fault.detector ??= detector;
    }
  }

  /** What validate says, without what it says of requests that the disk refused. */
  unexplained(errors: readonly string[]): string[] {
    return errors.filter((error) => {
      this.noteText(error, 'validate');
      return !error.includes('simulated fault #');
    });
  }

  /** Damage was found at a place: by its sector, or by a journal segment's name and offset. */
  notePlace(text: string, detector: string): void {
    const page = /sector (\d+)/.exec(text);
    const segment = /journal\/\d+/.exec(text)?.[0];
    const offset = /offset (\d+)/.exec(text);
    const copy = /copy (\d)/.exec(text);
    for (const fault of this.faults) {
      const { event } = fault;
      if (!SILENT.has(event.kind) || fault.detector !== undefined) continue;
      const inJournal = event.device.startsWith('journal/');
      if (page !== null && !inJournal && this.strikesPage(event, Number(page[1]))) {
        fault.detector = detector;
      } else if (copy !== null && !inJournal && event.firstSector < FIRST_PAGE_SECTOR) {
        fault.detector = detector;
      } else if (
        inJournal &&
        (segment === undefined || offset === null || segment === event.device)
      ) {
        // A break of the chain is named where it is; the fault that made it may have struck the header.
        if (segment !== undefined || /journal/.test(text)) fault.detector = detector;
      }
    }
  }

  /** The store came back whole after a power cut: what was not durable is accounted for. */
  noteRestart(journalTail: string): void {
    const tail = /\((journal\/\d+)\), offset (\d+)/.exec(journalTail);
    for (const fault of this.faults) {
      const { kind, device, firstSector, sectorCount } = fault.event;
      if (fault.detector !== undefined || !OF_POWER_CUT.has(kind)) continue;
      if (kind === 'powerCut') fault.detector = 'start: base, and the journal over it';
      else if (!device.startsWith('journal/')) {
        fault.detector =
          firstSector < FIRST_PAGE_SECTOR
            ? 'superblock: the other copy'
            : 'copy on write: no base names it';
      } else {
        const at = Number(tail?.[2]) / this.sectorBytes;
        const isHere = tail?.[1] === device && at >= firstSector && at < firstSector + sectorCount;
        fault.detector = isHere ? 'journal chain: ends there' : 'journal chain: does not reach it';
      }
    }
  }

  /** Whether a silent fault of the journal struck at the place where its chain ended, or behind it. */
  explainsLostTail(journalTail: string): boolean {
    const tail = /\((journal\/\d+)\), offset (\d+)/.exec(journalTail);
    // Without a readable header there is no tail: the journal ends before its first batch.
    const at = tail === null ? 0 : Number(tail[2]) / this.sectorBytes;
    let explained = false;
    for (const fault of this.faults) {
      const { kind, device, firstSector, sectorCount } = fault.event;
      if (!SILENT.has(kind) || !device.startsWith('journal/')) continue;
      const last = firstSector + sectorCount;
      // The break may be in the next segment, whose header went with its first batch.
      const isHere = device === tail?.[1] ? last > at : firstSector <= 1;
      if (!isHere) continue;
      explained = true;
      fault.detector ??= 'nobody can: the last batch, as if torn';
    }
    return explained;
  }

  summary(): Detections {
    const detections: Detections = {};
    for (const { event, detector } of this.faults) {
      const { kind } = event;
      const who =
        detector ??
        (kind === 'stall'
          ? 'nobody: it was waited for'
          : SILENT.has(kind)
            ? NOT_MET
            : NOT_REPORTED);
      const ofKind = (detections[kind] ??= {});
      ofKind[who] = (ofKind[who] ?? 0) + 1;
    }
    return detections;
  }

  /** A page may reach behind its first sector. */
  private strikesPage(event: FaultEvent, sector: number): boolean {
    const reaches = (first: number): boolean =>
      first < sector + LONGEST_PAGE_SECTORS && first + event.sectorCount > sector;
    return reaches(event.firstSector) || (event.landedAt !== undefined && reaches(event.landedAt));
  }
}

/** In front of it lie the superblocks: the reserved extents. */
const FIRST_PAGE_SECTOR = 129;
/** Pages that records share, and those of a single larger document. */
const LONGEST_PAGE_SECTORS = 48;
