/**
 * The journal from a commit on, in pieces of raw entries: what a backup's archive of the journal is fed from.
 */
import type { Journal, JournalGroup, JournalReader } from '../journal/contract.ts';
import type { CommitPoint, JournalPiece, JournalTail } from '../contract.ts';

export class ReaderTail implements JournalTail {
  readonly after: CommitPoint;
  private readonly reader: JournalReader;
  private readonly journal: Journal;
  private upTo: CommitPoint;
  /** The group whose entries did not all fit into the last piece, and the first of them that is left. */
  private group: JournalGroup | undefined;
  private next = 0;

  /** @param reader stands behind the commit `after` */
  constructor(after: CommitPoint, reader: JournalReader, journal: Journal) {
    this.after = after;
    this.upTo = after;
    this.reader = reader;
    this.journal = journal;
  }

  async read(mostBytes: number): Promise<JournalPiece> {
    // Copied at once: what a reader gave is good until its next call.
    const entries: Buffer[] = [];
    let bytes = 0;
    while (bytes < mostBytes) {
      if (this.group === undefined) {
        this.group = await this.reader.next();
        this.next = 0;
        if (this.group === undefined) break;
      }
      const entry = Buffer.from(this.group.entries[this.next].bytes);
      entries.push(entry);
      bytes += entry.length;
      this.next += 1;
      if (this.next < this.group.entries.length) continue;
      const { commitNumber, timestamp } = this.group;
      this.upTo = { commitNumber, timestamp };
      this.group = undefined;
    }
    const isAll = this.journal.lastCommitNumber === this.upTo.commitNumber;
    return { bytes: Buffer.concat(entries), upTo: this.upTo, isAll };
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
