/**
 * The newest log lines, for getLog.
 *
 * Owns: a ring of lines. Promises: bounded memory (1024 lines of at most 4 KiB).
 */

const MAX_LINES = 1024;
const MAX_LINE_CHARACTERS = 4096;

export class RecentLog {
  private readonly ring: string[] = [];
  private written = 0;
  /** What an operator should know of this start: shown by mongosh when it connects. */
  readonly startupWarnings: string[] = [];

  /** A sink for createLog: keeps the line. @param text may end in a newline. */
  keep(text: string): void {
    this.ring[this.written % MAX_LINES] = text.trimEnd().slice(0, MAX_LINE_CHARACTERS);
    this.written += 1;
  }

  /** Lines written since the start. */
  get total(): number {
    return this.written;
  }

  /** The newest lines, the oldest of them first. */
  get lines(): readonly string[] {
    if (this.written <= MAX_LINES) return [...this.ring];
    const split = this.written % MAX_LINES;
    return [...this.ring.slice(split), ...this.ring.slice(0, split)];
  }
}
