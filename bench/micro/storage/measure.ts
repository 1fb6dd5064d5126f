/** Timing and lines for the storage benchmarks. */

export function line(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(58)}${figure.padStart(22)}\n`);
}

/** Nanoseconds per call of a synchronous `run`, after a warm-up. */
export function nanosecondsPerCall(calls: number, run: (call: number) => void): number {
  for (let call = 0; call < calls / 5; call += 1) run(call);
  const beganNs = process.hrtime.bigint();
  for (let call = 0; call < calls; call += 1) run(call);
  return Number(process.hrtime.bigint() - beganNs) / calls;
}

export interface LaneFigures {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Processor time of the whole process per call, microseconds. */
  readonly cpuUs: number;
}

/** Runs `calls` asynchronous calls over `lanes` lanes, each one after the other. */
export async function measureLanes(
  calls: number,
  lanes: number,
  run: (lane: number, call: number) => Promise<void>,
): Promise<LaneFigures> {
  const latenciesMs: number[] = [];
  let next = 0;
  const lane = async (index: number): Promise<void> => {
    while (next < calls) {
      const call = next;
      next += 1;
      const beganMs = performance.now();
      await run(index, call);
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  const tookMs = performance.now() - beganMs;
  const cpu = process.cpuUsage(cpuBefore);
  latenciesMs.sort((a, b) => a - b);
  const at = (part: number): number => latenciesMs[Math.floor(latenciesMs.length * part)] * 1000;
  return {
    perSecond: (calls / tookMs) * 1000,
    p50Us: at(0.5),
    p99Us: at(0.99),
    cpuUs: (cpu.user + cpu.system) / calls,
  };
}

export function showLanes({ perSecond, p50Us, p99Us, cpuUs }: LaneFigures): string {
  return `${perSecond.toFixed(0)}/s  p50 ${p50Us.toFixed(0)} p99 ${p99Us.toFixed(0)} us  cpu ${cpuUs.toFixed(0)} us`;
}
