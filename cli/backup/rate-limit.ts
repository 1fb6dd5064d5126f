/**
 * Holds a copy to so many bytes a second, on average since it began, and can make it pause.
 */
import { sleep, type Clock } from '../../common/clock.ts';
import { UsageError } from '../../server/index.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** @param text such as '500k', '50MB', '1.5g': bytes a second @throws UsageError */
export function parseRate(text: string): number {
  const bytes = parseBytes(text.trim().replace(/\/s$/i, ''));
  if (bytes !== undefined) return bytes;
  throw new UsageError(`--rate needs bytes per second, such as 50MB or 500k, not '${text}'.`);
}

/** @param text such as '64MB' @throws UsageError */
export function parseFileBytes(text: string): number {
  const bytes = parseBytes(text.trim());
  if (bytes !== undefined) return bytes;
  throw new UsageError(`--fileSize needs bytes, such as 64MB, not '${text}'.`);
}

function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)b?$/i.exec(text);
  const bytes =
    match === null ? 0 : Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 0);
  return bytes >= 1 ? bytes : undefined;
}

export class RateLimit {
  private readonly clock: Clock;
  private readonly bytesPerSecond: number | undefined;
  private readonly startMs: number;
  private bytes = 0;
  private pause: Promise<unknown> | undefined;

  /** @param bytesPerSecond undefined: as fast as it goes */
  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.clock = clock;
    this.bytesPerSecond = bytesPerSecond;
    this.startMs = clock.monotonicMs();
  }

  /** Nothing is copied while `work` is under way: it must not wait for a piece that is being compressed. */
  async pauseFor<Result>(work: () => Promise<Result>): Promise<Result> {
    const running = work();
    this.pause = running.catch(() => undefined);
    try {
      return await running;
    } finally {
      this.pause = undefined;
    }
  }

  /** Asked before a piece is worked on: resolves when nothing makes the copy pause. */
  async resumed(): Promise<void> {
    while (this.pause !== undefined) await this.pause;
  }

  /** Resolves when so many bytes more may have been copied. */
  async passed(bytes: number): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    this.bytes += bytes;
    const dueMs = this.startMs + (1000 * this.bytes) / this.bytesPerSecond;
    const waitMs = dueMs - this.clock.monotonicMs();
    if (waitMs > 0) await sleep(this.clock, waitMs);
  }
}
