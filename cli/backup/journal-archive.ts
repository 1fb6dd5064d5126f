/**
 * Copies a server's journal behind a backup: once up to now, for an incremental backup, or on and on, into one file after the other.
 *
 * Owns: the writer of the file that it fills. Promises: a frame holds whole commits, and what is in the file follows the backup without a gap; an idle server is noted, too, so that a
 * point in time behind the last commit can be restored.
 */
import {
  compareTimestamps,
  encodeJournalFrame,
  journalEntryLength,
  journalEntryStamp,
  type CommitNumber,
  type CommitPoint,
  type Timestamp,
} from '../../storage/index.ts';
import { systemClock } from '../../common/clock.ts';
import type { Task } from '../command-line/progress.ts';
import { encodeEnd } from './description.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { RateLimit } from './rate-limit.ts';
import type { ServerBackup } from './server-backup.ts';

/** How long the server waits for something to tell. */
const AWAIT_MS = 1000;
/** That nothing was written is noted so often. */
const IDLE_NOTE_SECONDS = 30;
/** Of a BSON document's length. */
const LENGTH_BYTES = 4;
const FULL_PIECE_BYTES = 512 * 1024;
const SYNC_BYTES = 64 * 1024 * 1024;
const HIGHEST_INCREMENT = 2 ** 32 - 1;

export interface ArchiveOptions {
  /** Whose journal it is, 32 hexadecimal digits. */
  readonly storeId: string;
  /** On and on, until `isStopped`; else up to what the server has now, or to `until`. */
  readonly follow: boolean;
  /** Ends with this commit, or soon behind it, which the server has made and may not have flushed yet. */
  readonly until?: CommitNumber;
  readonly rate: RateLimit;
  readonly task: Task;
  readonly isStopped: () => boolean;
  /** A file that holds so many bytes is followed by another one; undefined: all goes into one. */
  readonly fileBytes: number | undefined;
  /** Begins the next file, behind the commit that the last one ended with. */
  readonly nextFile: (after: CommitPoint) => Promise<FrameWriter>;
}

export class JournalArchive {
  /** The last commit in the file. */
  last: CommitPoint;
  coveredTo: Timestamp;
  commits = 0;
  plainBytes = 0;
  /** Up to here it is on the disk. */
  durable: CommitNumber;
  private readonly server: ServerBackup;
  private writer: FrameWriter;
  private readonly options: ArchiveOptions;
  /** As `coveredTo`, but not in the file yet. */
  private known: Timestamp;
  private unsyncedBytes = 0;
  /** Of entries in the file that is being filled. */
  private fileBytes = 0;
  /** Of the files before this one. */
  private closedBytes = 0;
  /** Entries of a commit whose last one has not come yet. */
  private rest: Buffer = Buffer.alloc(0);

  /** @param writer of a file that has begun @param last where the file, or the backup before it, ends @param coveredTo at least its time */
  constructor(
    server: ServerBackup,
    writer: FrameWriter,
    start: { readonly last: CommitPoint; readonly coveredTo: Timestamp },
    options: ArchiveOptions,
  ) {
    this.server = server;
    this.writer = writer;
    this.last = start.last;
    this.durable = start.last.commitNumber;
    this.coveredTo = start.coveredTo;
    this.known = start.coveredTo;
    this.options = options;
  }

  /** In all its files. */
  get storedBytes(): number {
    return this.closedBytes + this.writer.storedBytes;
  }

  /** What was to be copied has been. */
  async end(): Promise<void> {
    try {
      await this.writer.write(
        'end',
        encodeEnd({
          commitNumber: this.last.commitNumber,
          frames: this.writer.frames,
          plainBytes: this.fileBytes,
          completedAt: new Date(systemClock.wallMs()),
        }),
      );
      await this.sync();
    } finally {
      await this.writer.close();
    }
  }

  /** Gives up: the file stays without an end. */
  close(): Promise<void> {
    return this.writer.close();
  }

  /** @throws MongoServerError: see isPositionLost; whatever the connection says. It may be run again then. */
  async run(): Promise<void> {
    const { follow, isStopped, task, rate, until } = this.options;
    this.rest = Buffer.alloc(0);
    const id = await this.server.openJournal(this.last, this.options.storeId);
    const waits = follow || until !== undefined;
    while (!isStopped() && (until === undefined || this.last.commitNumber < until)) {
      const { bytes, coveredSeconds } = await this.server.journal(id, waits ? AWAIT_MS : 0);
      await rate.resumed();
      await this.keep(bytes, coveredSeconds);
      task.advance(bytes.length);
      await rate.passed(bytes.length);
      if (!waits && bytes.length === 0) break;
    }
    // A frame without entries: up to here nothing more was written.
    await this.write(this.last, Buffer.alloc(0));
    await this.server.close(id);
  }

  private async keep(bytes: Buffer, coveredSeconds: number | undefined): Promise<void> {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const { end, last, commits } = wholeCommits(all);
    this.rest = Buffer.from(all.subarray(end));
    const before = this.last;
    if (last !== undefined) {
      this.last = last;
      this.commits += commits;
      this.known = later(this.known, last.timestamp);
    }
    if (coveredSeconds !== undefined && this.rest.length === 0) {
      this.known = later(this.known, { seconds: coveredSeconds, increment: HIGHEST_INCREMENT });
    }
    const isNews = this.known.seconds - this.coveredTo.seconds >= IDLE_NOTE_SECONDS;
    if (last !== undefined || isNews) await this.write(before, all.subarray(0, end));
  }

  private async write(before: CommitPoint, entries: Buffer): Promise<void> {
    this.coveredTo = this.known;
    const span = { before, last: this.last, coveredTo: this.coveredTo };
    await this.writer.write('journal', encodeJournalFrame(span, entries));
    this.plainBytes += entries.length;
    this.fileBytes += entries.length;
    this.unsyncedBytes += entries.length;
    // A full piece is followed by the next one at once.
    if (entries.length < FULL_PIECE_BYTES || this.unsyncedBytes >= SYNC_BYTES) await this.sync();
    await this.roll();
  }

  private async sync(): Promise<void> {
    const { commitNumber } = this.last;
    await this.writer.sync();
    this.durable = commitNumber;
    this.unsyncedBytes = 0;
  }

  private async roll(): Promise<void> {
    const { fileBytes, nextFile } = this.options;
    if (fileBytes === undefined || this.writer.storedBytes < fileBytes) return;
    await this.end();
    this.closedBytes += this.writer.storedBytes;
    this.fileBytes = 0;
    this.writer = await nextFile(this.last);
  }
}

/** How many bytes of these entries are whole commits, and the last of them. */
function wholeCommits(entries: Buffer): {
  readonly end: number;
  readonly last: CommitPoint | undefined;
  readonly commits: number;
} {
  let last: CommitPoint | undefined;
  let end = 0;
  let commits = 0;
  for (let at = 0; at + LENGTH_BYTES <= entries.length;) {
    // The last entry may be cut: its rest comes with the next piece.
    if (at + entries.readUInt32LE(at) > entries.length) break;
    const next = at + journalEntryLength(entries, at, entries.length);
    const { cn, ts } = journalEntryStamp(entries, at);
    at = next;
    if (cn === undefined) continue;
    last = { commitNumber: cn, timestamp: ts };
    end = at;
    commits += 1;
  }
  return { end, last, commits };
}

function later(a: Timestamp, b: Timestamp): Timestamp {
  return compareTimestamps(a, b) < 0 ? b : a;
}
