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
const SMOOTHED_SECONDS = 30;
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

/** By how much operations per second fall, as a part of where they begin. */
function decayOf(samples: readonly Sample[]): number {
  return Math.max(0, 1 - growthOf(samples.map(({ operationsPerSecond }) => operationsPerSecond)));
}

/**
 * What an operation takes at the end, for each that it took from the second minute on: that does not depend on who else works on the
 * machine, as throughput does.
 */
export function growthOfCosts(samples: readonly Sample[]): { title: string; growth: number }[] {
  const steady = steadyPart(samples.filter(({ interval }) => interval.phase === 'mix'));
  // A second in which a checkpoint held everything up has few operations, and says little.
  const perOperation = (of: (sample: Sample) => number): number =>
    growthOf(
      steady.map((_, second) => {
        const around = steady.slice(Math.max(0, second - SMOOTHED_SECONDS), second + 1);
        const operations = around.reduce((sum, each) => sum + operationsOf(each), 0);
        return around.reduce((sum, each) => sum + of(each) * operationsOf(each), 0) / operations;
      }),
    );
  return [
    {
      title: 'processor time an operation, at the end against the second minute',
      growth: perOperation(({ operationUs }) => operationUs),
    },
    {
      title: 'cache misses an operation, the same',
      growth: perOperation(({ cacheMisses }) => cacheMisses),
    },
  ];
}

function operationsOf({ interval, operationsPerSecond }: Sample): number {
  return operationsPerSecond * interval.seconds;
}

/** Where the line of least squares through them ends, as a part of where it begins. */
function growthOf(rates: readonly number[]): number {
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
  return last / first;
}
