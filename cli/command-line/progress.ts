/**
 * How far something is, on standard error: a bar that moves on a terminal, plain lines in a log.
 *
 * Owns: the terminal's last line while a bar stands there. Promises: a line of its own for whatever else is said meanwhile; at most ten changes a
 * second on a terminal, and one line in ten seconds of a task in a log; nothing at all when it is quiet.
 */
import { systemClock, type Clock } from '../../common/clock.ts';

/** Where it is shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly quiet?: boolean;
  readonly output?: ProgressOutput;
  readonly clock?: Clock;
}

export interface TaskSize {
  /** How many there will be, as far as it is known. */
  readonly total?: number | undefined;
  /** What is counted; default documents. */
  readonly unit?: 'documents' | 'bytes';
}

const BAR_CELLS = 24;
const TERMINAL_EVERY_MS = 100;
const LOG_EVERY_MS = 10_000;
const DEFAULT_COLUMNS = 80;
const ERASE_LINE = '\r\x1b[K';

export class Progress {
  private readonly output: ProgressOutput;
  private readonly clock: Clock;
  private readonly quiet: boolean;
  private barIsShown = false;

  constructor({
    quiet = false,
    output = process.stderr,
    clock = systemClock,
  }: ProgressOptions = {}) {
    this.quiet = quiet;
    this.output = output;
    this.clock = clock;
  }

  /** A line that stays. */
  say(line: string): void {
    if (this.quiet) return;
    this.erase();
    this.output.write(`${line}\n`);
  }

  begin(name: string, size: TaskSize = {}): Task {
    return new Task(this, name, size, this.clock);
  }

  /** Shows a task's state, if it is time to. @returns when it was shown, or the time before. */
  show(task: Task, lastMs: number): number {
    const nowMs = this.clock.monotonicMs();
    const everyMs = this.output.isTTY === true ? TERMINAL_EVERY_MS : LOG_EVERY_MS;
    if (this.quiet || nowMs - lastMs < everyMs) return lastMs;
    if (this.output.isTTY === true) {
      const line = task.line(BAR_CELLS).slice(0, (this.output.columns ?? DEFAULT_COLUMNS) - 1);
      this.output.write(`${ERASE_LINE}${line}`);
      this.barIsShown = true;
    } else this.output.write(`${task.line(0)}\n`);
    return nowMs;
  }

  private erase(): void {
    if (this.barIsShown) this.output.write(ERASE_LINE);
    this.barIsShown = false;
  }
}

/** One thing that goes on: a collection, a file. */
export class Task {
  done = 0;
  private readonly progress: Progress;
  private readonly name: string;
  private readonly size: TaskSize;
  private readonly clock: Clock;
  private readonly startMs: number;
  private shownMs: number;

  constructor(progress: Progress, name: string, size: TaskSize, clock: Clock) {
    this.progress = progress;
    this.name = name;
    this.size = size;
    this.clock = clock;
    this.startMs = clock.monotonicMs();
    this.shownMs = this.startMs;
  }

  advance(count: number): void {
    this.done += count;
    this.shownMs = this.progress.show(this, this.shownMs);
  }

  /** Says what was done. @param what such as '12 documents'; absent: the count. */
  end(what?: string): void {
    const seconds = (this.clock.monotonicMs() - this.startMs) / 1000;
    const said = what ?? this.counted(this.done);
    this.progress.say(`${this.name}: ${said} in ${seconds.toFixed(1)} s`);
  }

  /** @param cells of the bar; 0: none. */
  line(cells: number): string {
    const { total } = this.size;
    const seconds = Math.max((this.clock.monotonicMs() - this.startMs) / 1000, 0.001);
    const rate = this.done / seconds;
    if (total === undefined || total <= 0) {
      return `${this.name}: ${this.counted(this.done)}, ${this.counted(rate)}/s`;
    }
    const part = Math.min(1, this.done / total);
    const leftSeconds = rate > 0 ? Math.max(0, total - this.done) / rate : 0;
    const filled = Math.round(part * cells);
    const bar = cells === 0 ? '' : `[${'#'.repeat(filled)}${'.'.repeat(cells - filled)}] `;
    return `${this.name}: ${bar}${Math.floor(part * 100)} %, ${this.counted(this.done)} of ${this.counted(total)}, ${this.counted(rate)}/s, ${duration(leftSeconds)} left`;
  }

  private counted(count: number): string {
    return this.size.unit === 'bytes' ? byteText(count) : `${plain(count)} documents`;
  }
}

/** '1.4 MB' */
export function byteText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** '1 document', '2,000 documents' */
export function documentText(count: number): string {
  return `${plain(count)} ${count === 1 ? 'document' : 'documents'}`;
}

function plain(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
