/**
 * flintd as it ships (dist/programs), with two histograms of its event loop's delay: one for the time of folds, one for the
 * rest. Lines on standard input say which of them counts: `fold`, `rest`; `print` writes both to standard output.
 */
import {
  createHistogram,
  monitorEventLoopDelay,
  type Histogram,
  type IntervalHistogram,
  type RecordableHistogram,
} from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { LoopDelay, LoopDelays } from './loop-delay.ts';

/** A timer of this period is what is late. */
const RESOLUTION_MS = 1;

/** A monitor that is switched off and on again counts the time in between as one long delay: each stretch has its own. */
let monitor = startMonitor();
const fold = createHistogram();
const rest = createHistogram();
let current = rest;

function startMonitor(): IntervalHistogram {
  const started = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  started.enable();
  return started;
}

/** What was seen so far is of the current time; from here on it is another's. */
function turnTo(next: RecordableHistogram): void {
  monitor.disable();
  let recorded = 0;
  for (const [percent, nanoseconds] of monitor.percentiles) {
    const upTo = Math.round((percent / 100) * monitor.count);
    for (; recorded < upTo; recorded += 1) current.record(Math.max(1, nanoseconds));
  }
  current = next;
  monitor = startMonitor();
}

/** Milliseconds beyond the timer's own period. */
function delayOf(histogram: Histogram): LoopDelay {
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const percentile = (percent: number): number => late(histogram.percentile(percent));
  const [p50, p99, p999] = [percentile(50), percentile(99), percentile(99.9)];
  return { samples: histogram.count, p50, p99, p999, max: late(histogram.max) };
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'fold') turnTo(fold);
  else if (line === 'rest') turnTo(rest);
  else if (line === 'print') {
    turnTo(current);
    const delays: LoopDelays = { fold: delayOf(fold), rest: delayOf(rest) };
    process.stdout.write(`${JSON.stringify({ loopDelay: delays })}\n`);
  }
});

const program = new URL('../../dist/programs/flintd.js', import.meta.url);
await import(program.href);
