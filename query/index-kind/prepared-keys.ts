/**
 * Keys that are made on a thread, because they take longer than a turn of the event loop: of a text of megabytes, of a polygon of
 * a hundred thousand vertices.
 *
 * Owns: what the thread has made, until that has not been asked for any more.
 * Promises: what is known is never made again while it is being asked for; when too much is known, nothing more is taken, and
 * callers make keys themselves.
 */
import type { EncodedKey, MultikeyPaths } from '../../bson/index.ts';
import { type Clock, systemClock, type TimerHandle } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { type KeyAnswer, unpackKeys } from './key-messages.ts';
import { KeyThread } from './key-thread.ts';

/** What was made is kept so long after it was last asked for. */
const KEEP_MS = 10_000;
/** Documents and keys together: more than the largest message has. */
const MOST_BYTES = 256 * 1024 * 1024;

interface Keys {
  readonly keys: readonly EncodedKey[];
  readonly multikeyPaths: MultikeyPaths | undefined;
}

interface Entry {
  readonly index: IndexDescription;
  /** Of its own: the caller's may be anybody's by the time it is compared. */
  readonly document: Buffer;
  readonly made: Promise<void>;
  /** 'failed': the thread cannot, so that whoever asks makes the keys himself. */
  outcome: Keys | CommandError | 'failed' | undefined;
  bytes: number;
  usedMs: number;
}

export class PreparedKeys {
  private readonly clock: Clock;
  private readonly entries = new Set<Entry>();
  private bytes = 0;
  private sweep: TimerHandle | undefined;
  private readonly thread: KeyThread;

  constructor(clock: Clock) {
    this.clock = clock;
    this.thread = new KeyThread(clock);
  }

  /** The keys when they were made before; undefined when they were not. @throws CommandError what making them ended with */
  keysOf(index: IndexDescription, document: Buffer): Keys | undefined {
    const entry = this.find(index, document);
    if (entry?.outcome === undefined || entry.outcome === 'failed') return undefined;
    entry.usedMs = this.clock.monotonicMs();
    if (entry.outcome instanceof CommandError) throw entry.outcome;
    return entry.outcome;
  }

  /** @returns a promise of when keysOf() knows, undefined when there is nothing to wait for. It never rejects. */
  prepare(index: IndexDescription, document: Buffer): Promise<void> | undefined {
    const known = this.find(index, document);
    if (known !== undefined) return known.outcome === undefined ? known.made : undefined;
    if (this.bytes + document.length > MOST_BYTES) return undefined;
    const own = Buffer.from(document);
    const entry: Entry = {
      index,
      document: own,
      made: this.thread.run({ index, document: own }).then((answer) => this.note(entry, answer)),
      outcome: undefined,
      bytes: own.length,
      usedMs: this.clock.monotonicMs(),
    };
    this.entries.add(entry);
    this.bytes += entry.bytes;
    return entry.made;
  }

  private find(index: IndexDescription, document: Buffer): Entry | undefined {
    for (const entry of this.entries) {
      if (
        entry.index.ident === index.ident &&
        entry.document.length === document.length &&
        entry.index.spec.equals(index.spec) &&
        entry.document.equals(document)
      ) {
        return entry;
      }
    }
    return undefined;
  }

  private note(entry: Entry, answer: KeyAnswer): void {
    entry.usedMs = this.clock.monotonicMs();
    if ('failure' in answer) entry.outcome = 'failed';
    else if ('code' in answer) entry.outcome = new CommandError(answer.code, answer.message);
    else {
      entry.outcome = {
        keys: unpackKeys(answer.keys),
        multikeyPaths: answer.multikeyPaths,
      };
      entry.bytes += answer.keys.length;
      this.bytes += answer.keys.length;
    }
    this.sweep ??= this.clock.after(KEEP_MS, () => this.sweepOld());
  }

  private sweepOld(): void {
    this.sweep = undefined;
    const until = this.clock.monotonicMs() - KEEP_MS;
    for (const entry of this.entries) {
      if (entry.outcome !== undefined && entry.usedMs <= until) this.forget(entry);
    }
    if (this.entries.size > 0) this.sweep = this.clock.after(KEEP_MS, () => this.sweepOld());
  }

  private forget(entry: Entry): void {
    if (this.entries.delete(entry)) this.bytes -= entry.bytes;
  }
}

/** Those of this process. */
export const preparedKeys = new PreparedKeys(systemClock);
