/**
 * The journal from a commit on, in pieces of raw entries: what a backup's archive of the journal is fed from.
 */
import type { Journal, JournalReader } from '../journal/contract.ts';
import type { CommitPoint, JournalPiece, JournalTail } from '../contract.ts';

export class ReaderTail implements JournalTail {
  readonly after: CommitPoint;
  private readonly reader: JournalReader;
  private readonly journal: Journal;
  private upTo: CommitPoint;
  /** What did not fit into the last piece: one commit may be larger than a message. */
  private held: Buffer = Buffer.alloc(0);

  /** @param reader stands behind the commit `after` */
  constructor(after: CommitPoint, reader: JournalReader, journal: Journal) {
    this.after = after;
    this.upTo = after;
    this.reader = reader;
    this.journal = journal;
  }

  async read(mostBytes: number): Promise<JournalPiece> {
    // Copied at once: what a reader gave is good until its next call.
    const entries: Buffer[] = [this.held];
    let bytes = this.held.length;
    while (bytes < mostBytes) {
      const group = await this.reader.next();
      if (group === undefined) break;
      for (const entry of group.entries) {
        entries.push(Buffer.from(entry.bytes));
        bytes += entry.bytes.length;
      }
      this.upTo = { commitNumber: group.commitNumber, timestamp: group.timestamp };
    }
    const all = Buffer.concat(entries);
    this.held = all.subarray(mostBytes);
    const { upTo } = this;
    const isAll = this.held.length === 0 && this.journal.lastCommitNumber === upTo.commitNumber;
    return { bytes: all.subarray(0, mostBytes), upTo, isAll };
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
