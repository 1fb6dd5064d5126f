/** Journals over volumes in memory, for the tests of this folder. */
import { BSON } from 'mongodb';
import { ManualClock, type Clock } from '../../../common/clock.ts';
import { silentLog } from '../../../common/log.ts';
import { SeededRandom } from '../../../common/random.ts';
import type { CommitNumber, RecordId } from '../../../storage/contract.ts';
import type { Bio, Device, DeviceOpenOptions, Volume } from '../../../storage/device/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import type { JournalOperation } from '../../../storage/format/journal-entry.ts';
import type {
  Journal,
  JournalGroup,
  JournalOptions,
  ReplaySummary,
} from '../../../storage/journal/contract.ts';
import { openJournal } from '../../../storage/journal/journal.ts';

export const STORE_ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
export const COLLECTION = Buffer.from('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', 'hex');
export const ZERO = 0 as CommitNumber;

export function bson(document: object): Buffer {
  return Buffer.from(BSON.serialize(document));
}

/** An insert whose document says which it is. @param paddingBytes makes the document larger */
export function insertOf(n: number, paddingBytes = 0): JournalOperation {
  const padding = paddingBytes === 0 ? {} : { padding: 'x'.repeat(paddingBytes) };
  return { op: 'i', ui: COLLECTION, rid: n as RecordId, o: bson({ _id: n, ...padding }) };
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** What replay handed over: for each commit its number and the `_id`s in it. */
  readonly replayed: readonly (readonly [commitNumber: number, ids: readonly number[]])[];
  readonly summary: ReplaySummary;
  /** What onFailure heard. */
  readonly failures: readonly Error[];
}

export interface OpenJournalOptions extends Partial<JournalOptions> {
  readonly clock?: Clock;
  readonly from?: number;
  /** Distinguishes the epochs of several starts. */
  readonly seed?: number;
  /** Called for each group besides. */
  readonly visit?: (group: JournalGroup) => Promise<void>;
}

export async function openAndReplay(
  volume: Volume,
  options: OpenJournalOptions = {},
): Promise<OpenedJournal> {
  const { from = 0, seed = 1, visit, ...journalOptions } = options;
  const failures: Error[] = [];
  const journal = openJournal({
    volume,
    storeId: STORE_ID,
    clock: new ManualClock(),
    random: new SeededRandom(seed),
    log: silentLog,
    onFailure: (error) => failures.push(error),
    ...journalOptions,
  });
  const replayed: [number, number[]][] = [];
  const summary = await journal.replay(from as CommitNumber, (group) => {
    replayed.push([group.commitNumber, group.entries.map(({ o }) => idOf(o))]);
    return visit?.(group);
  });
  return { journal, replayed, summary, failures };
}

export function idOf(document: Buffer): number {
  return Number(BSON.deserialize(document)['_id']);
}

/** Lets promises and setImmediate callbacks run until all is still. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A volume in memory whose WRITEs wait until the test lets them go on, in any order. */
export class GatedVolume extends MemoryVolume {
  readonly held: { readonly bio: Bio; release(): void; fail(error: Error): void }[] = [];
  /** Off while a journal opens. */
  closed = false;
  /** What opening a device waits for. */
  opening: Promise<void> = Promise.resolve();

  override async open(name: string, options: DeviceOpenOptions = {}): Promise<Device> {
    await this.opening;
    const device = await super.open(name, options);
    const execute = device.execute.bind(device);
    device.execute = async (bio) => {
      if (this.closed && bio.operation === 'WRITE') {
        await new Promise<void>((resolve, reject) => {
          this.held.push({ bio, release: resolve, fail: reject });
        });
      }
      return execute(bio);
    };
    return device;
  }
}
