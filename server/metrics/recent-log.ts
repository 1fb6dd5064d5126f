/**
 * The newest log lines, for getLog.
 *
 * Owns: a ring of lines. Promises: bounded memory (1024 lines of at most 4 KiB).
 */

import type { Clock } from '../../common/clock.ts';
import { createLog, type LogLine } from '../../common/log.ts';

const MAX_LINES = 1024;
const MAX_WARNINGS = 50;
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

  /** Adds what an operator should know; beyond so many the oldest one but the first goes. */
  addWarning(clock: Clock, line: LogLine): void {
    const log = createLog({
      clock,
      sink: (text) => this.startupWarnings.push(text.trimEnd()),
    });
    log.write(line);
    if (this.startupWarnings.length > MAX_WARNINGS) this.startupWarnings.splice(1, 1);
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
