/**
 * What a torture run has seen: shared by all who take part.
 */

/** Servers are down for a second or two: whoever waits so long waits for ever. */
const LONGEST_MS = 60_000;
const KEPT_VIOLATIONS = 200;

export class Report {
  readonly violations: string[] = [];
  /** How often what ended with which error. */
  readonly failures = new Map<string, number>();
  readonly done = new Map<string, number>();
  reads = 0;
  scans = 0;
  longestMs = 0;
  private readonly beganMs = performance.now();
  private readonly onViolation: (line: string) => void;

  constructor(onViolation: (line: string) => void = () => {}) {
    this.onViolation = onViolation;
  }

  violation(sentence: string): void {
    const line = `${this.clock()} ${sentence}`;
    if (this.violations.length < KEPT_VIOLATIONS) this.violations.push(line);
    this.onViolation(line);
  }

  failed(what: string, how: string): void {
    count(this.failures, `${what}: ${how}`);
  }

  succeeded(what: string): void {
    count(this.done, what);
  }

  /** Runs something that must end soon, whatever happens. */
  async timed(who: string, run: () => Promise<void>): Promise<void> {
    const beganMs = performance.now();
    await run();
    const tookMs = performance.now() - beganMs;
    this.longestMs = Math.max(this.longestMs, tookMs);
    if (tookMs > LONGEST_MS) this.violation(`${who} waited ${Math.round(tookMs)} ms`);
  }

  private clock(): string {
    return `${((performance.now() - this.beganMs) / 1000).toFixed(2)} s`;
  }
}

function count(into: Map<string, number>, key: string): void {
  into.set(key, (into.get(key) ?? 0) + 1);
}
