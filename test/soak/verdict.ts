/**
 * What the soak promises, computed from its samples.
 *
 * Throughput is judged by a straight line through its seconds, from the second minute (or, in a short run, from its second quarter) on:
 * the line may fall by the bound from one end to the other. Single seconds may do what they like, checkpoints among them.
 */
import type { Sample } from './samples.ts';

export const MOST_DECAY = 0.15;
export const MEMORY_FACTOR = 1.25;
export const MEMORY_BASE_BYTES = 200e6;
export const MOST_SPACE_AMPLIFICATION = 2;

export const MOST_UNNAMED = 0.2;

const WARM_UP_SECONDS = 60;
/** Space is judged when the first updates have been cleaned up after, of the mix. */
const SETTLED_PART = 0.25;

export interface Verdict {
  readonly title: string;
  readonly measured: number;
  readonly bound: number;
  readonly holds: boolean;
}

export function memoryBoundBytes(budgetBytes: number): number {
  return MEMORY_FACTOR * budgetBytes + MEMORY_BASE_BYTES;
}

export function judge(samples: readonly Sample[]): Verdict[] {
  const mix = samples.filter(({ interval }) => interval.phase === 'mix');
  const settled = mix.slice(Math.floor(mix.length * SETTLED_PART));
  return [
    verdict('throughput lost, part', decayOf(steadyPart(mix)), MOST_DECAY),
    verdict(
      'memory at its peak, part of its bound',
      Math.max(
        ...samples.map(
          ({ peakMemoryBytes, server }) => peakMemoryBytes / memoryBoundBytes(server.budgetBytes),
        ),
      ),
      1,
    ),
    verdict('memory without a name, part', unnamedPart(settled), MOST_UNNAMED),
    verdict(
      'space amplification, worst',
      Math.max(...settled.map(({ server }) => server.blocksBytes / server.liveBytes)),
      MOST_SPACE_AMPLIFICATION,
    ),
  ];
}

/** By how much the sum of the parts differs from what the system says, on average. */
function unnamedPart(samples: readonly Sample[]): number {
  let difference = 0;
  let total = 0;
  for (const { server } of samples) {
    const sum = Object.values(server.parts).reduce((all, bytes) => all + bytes, 0);
    difference += Math.abs(server.processBytes - sum);
    total += server.processBytes;
  }
  return difference / total;
}

function verdict(title: string, measured: number, bound: number): Verdict {
  // A figure that is missing holds nothing.
  return { title, measured, bound, holds: measured <= bound };
}

function steadyPart(mix: readonly Sample[]): readonly Sample[] {
  return mix.slice(Math.min(WARM_UP_SECONDS, Math.floor(mix.length / 4)));
}

/** By how much the line of least squares through operations per second falls, as a part of where it begins. */
function decayOf(samples: readonly Sample[]): number {
  const rates = samples.map(({ operationsPerSecond }) => operationsPerSecond);
  const middle = (rates.length - 1) / 2;
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  let covariance = 0;
  let variance = 0;
  for (const [second, rate] of rates.entries()) {
    covariance += (second - middle) * (rate - mean);
    variance += (second - middle) ** 2;
  }
  const slope = covariance / variance;
  const first = mean - slope * middle;
  const last = mean + slope * middle;
  return Math.max(0, 1 - last / first);
}
