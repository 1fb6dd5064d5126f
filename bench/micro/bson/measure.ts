/**
 * Times small functions: ns of CPU time per call, the median of several rounds, printed beside what was asked for.
 * CPU time, because other processes on the machine stretch the clock; they still cost caches and turbo.
 */

const ROUND_MS = 60;
const ROUNDS = 7;

/** What a measured function returns is folded in here, so that the compiler cannot leave the call out. */
let sink = 0;

/** ns of CPU per call of `run`, which is called with 0, 1, 2, … and answers anything. */
export function nsPerCall(run: (iteration: number) => unknown): number {
  let calls = 1000;
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS + 2; round += 1) {
    const start = process.cpuUsage();
    for (let iteration = 0; iteration < calls; iteration += 1) {
      if (run(iteration) === undefined) sink += 1;
    }
    const used = process.cpuUsage(start);
    const ns = Math.max(1, used.user + used.system) * 1000;
    rounds.push(ns / calls);
    calls = Math.max(1000, Math.round((calls * ROUND_MS * 1e6) / ns));
  }
  // The first two rounds warm up and find the number of calls.
  return rounds.slice(2).sort((a, b) => a - b)[ROUNDS >> 1];
}

/** Prints one line. @param goalNs what MEASURED figures allow; the ratio to it follows. */
export function report(name: string, ns: number, goalNs?: number): void {
  const goal = goalNs === undefined ? '' : `  goal ${goalNs}, ratio ${(ns / goalNs).toFixed(2)}`;
  process.stdout.write(`${name.padEnd(48)} ${ns.toFixed(1).padStart(9)} ns${goal}\n`);
}

/** For the curious, and for the compiler. */
export function sinkValue(): number {
  return sink;
}
