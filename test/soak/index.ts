/**
 * `npm run soak -- [--minutes 30] [--cacheSizeMB 256] [--connections 32] [--times 5] [--plot docs/soak.svg]`: a mixed load on data five times
 * the cache, in a flintd of its own, watched from outside.
 *
 * Ends with 1 unless throughput keeps up from the second minute on, memory stays within its bound from the first loaded document on, and
 * the block store's space stays within its own. Draws what it saw.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { processMemoryBytes } from '../../bench/load/process-memory.ts';
import { formatNumber, printMachine, printTable } from '../../bench/macro/report.ts';
import { Program } from '../support/programs.ts';
import { DOCUMENT_BYTES } from './messages.ts';
import { plotSvg, type Panel } from './plot.ts';
import { runLoad } from './run-load.ts';
import { takeSample, type Sample } from './samples.ts';
import {
  growthOfCosts,
  judge,
  MEMORY_BASE_BYTES,
  memoryBoundBytes,
  MOST_SPACE_AMPLIFICATION,
} from './verdict.ts';

const MEBIBYTE = 1024 * 1024;
const PROGRESS_EVERY = 10;
const MEMORY_WATCH_MS = 100;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    cacheSizeMB: { type: 'string', default: '256' },
    connections: { type: 'string', default: '32' },
    times: { type: 'string', default: '5' },
    plot: { type: 'string' },
  },
});
const cacheBytes = Number(values.cacheSizeMB) * MEBIBYTE;
const seconds = Number(values.minutes) * 60;
const documents = Math.ceil((cacheBytes * Number(values.times)) / DOCUMENT_BYTES);

printMachine();
const server = await Program.start({
  args: ['--cacheSizeGB', String(cacheBytes / 1024 ** 3), '--slowms', '10000'],
});
try {
  const samples = await soak();
  report(samples);
} finally {
  await server.stop();
  await server.dispose();
}

async function soak(): Promise<Sample[]> {
  const client = await MongoClient.connect(server.uri);
  const admin = client.db('admin');
  const samples: Sample[] = [];
  let peakMemoryBytes = 0;
  const watch = setInterval(() => {
    peakMemoryBytes = Math.max(peakMemoryBytes, processMemoryBytes(server.pid));
  }, MEMORY_WATCH_MS);
  try {
    let before = await takeSample(server, admin);
    const options = {
      port: server.port,
      connections: Number(values.connections),
      documents,
      seconds,
    };
    for await (const interval of runLoad(options)) {
      const now = await takeSample(server, admin);
      const operations = Object.values(interval.operations).reduce((sum, count) => sum + count, 0);
      samples.push({
        interval,
        operationsPerSecond: operations / interval.seconds,
        server: now,
        peakMemoryBytes: Math.max(peakMemoryBytes, now.memoryBytes),
        writeAmplification:
          interval.writtenBytes === 0
            ? 0
            : (now.diskBytesWritten - before.diskBytesWritten) / interval.writtenBytes,
        operationUs: (now.processorUs - before.processorUs) / Math.max(1, operations),
        cacheMisses: (now.cacheMisses - before.cacheMisses) / Math.max(1, operations),
      });
      before = now;
      peakMemoryBytes = 0;
      if (samples.length % PROGRESS_EVERY === 0) printProgress(samples);
    }
  } finally {
    clearInterval(watch);
    await client.close();
  }
  return samples;
}

function printProgress(samples: readonly Sample[]): void {
  const last = samples.slice(-PROGRESS_EVERY);
  const mean = (of: (sample: Sample) => number): number =>
    last.reduce((sum, sample) => sum + of(sample), 0) / last.length;
  const most = (of: (sample: Sample) => number): number => Math.max(...last.map(of));
  const { interval, server: now } = last[last.length - 1];
  const text = [
    `${interval.phase} ${samples.length} s`,
    `${formatNumber(mean((sample) => sample.operationsPerSecond))} ops/s`,
    `reads p99 ${ms(most(({ interval: { reads } }) => reads.p99Us))}`,
    `writes p99 ${ms(most(({ interval: { writes } }) => writes.p99Us))} worst ${ms(most(({ interval: { writes } }) => writes.mostUs))}`,
    `memory ${mb(most((sample) => sample.peakMemoryBytes))} of ${mb(memoryBoundBytes(now.budgetBytes))}`,
    `delta ${mb(now.deltaBytes)}`,
    `live ${mb(now.liveBytes)} in ${mb(now.blocksBytes)}, indexes ${mb(now.indexBytes)}`,
    `space ${(now.blocksBytes / now.liveBytes).toFixed(2)}`,
    `written ${mean((sample) => sample.writeAmplification).toFixed(2)} x`,
    `${Math.round(mean((sample) => sample.operationUs))} us of processor and ${mean((sample) => sample.cacheMisses).toFixed(2)} cache misses an operation`,
  ];
  process.stdout.write(`${text.join(', ')}\n`);
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}

function mb(bytes: number): string {
  return `${formatNumber(Math.round(bytes / 1e6))} MB`;
}

function report(samples: readonly Sample[]): void {
  const verdicts = judge(samples);
  printParts(samples);
  const rows = verdicts.map(({ title, measured, bound, holds }) => [
    title,
    measured.toFixed(2),
    bound.toFixed(2),
    holds ? 'PASS' : 'FAIL',
  ]);
  for (const { title, growth } of growthOfCosts(samples)) {
    rows.push([title, growth.toFixed(2), '-', '']);
  }
  const dataMb = formatNumber((documents * DOCUMENT_BYTES) / 1e6);
  printTable([`${dataMb} MB of documents, cache ${mb(cacheBytes)}`, 'measured', 'bound', ''], rows);
  if (values.plot !== undefined) writeFileSync(values.plot, plotSvg(panelsOf(samples), 1, note()));
  if (verdicts.some(({ holds }) => !holds)) process.exitCode = 1;
}

/** What the server's memory was made of when it stood highest, by its own account. */
function printParts(samples: readonly Sample[]): void {
  const highest = samples.reduce((most, sample) =>
    sample.server.processBytes > most.server.processBytes ? sample : most,
  );
  const { parts, processBytes } = highest.server;
  const sum = Object.values(parts).reduce((total, bytes) => total + bytes, 0);
  const rows = Object.entries({ ...parts, together: sum, 'by the system': processBytes });
  printTable(
    ['memory at its highest', ''],
    rows.map(([name, bytes]) => [name, mb(bytes)]),
  );
}

function note(): string {
  return `npm run soak -- --minutes ${values.minutes} --cacheSizeMB ${values.cacheSizeMB}: data ${values.times} times the cache, ${values.connections} connections, 1 KiB documents; minutes from the start of the load`;
}

function panelsOf(samples: readonly Sample[]): Panel[] {
  const line = (
    title: string,
    of: (sample: Sample) => number,
    isBound = false,
  ): Panel['lines'][number] => ({ title, values: samples.map(of), isBound });
  const megabytes = (title: string, of: (sample: Sample) => number, isBound = false) =>
    line(title, (sample) => of(sample) / 1e6, isBound);
  return [
    {
      title: 'Operations per second (messages of 1,000 inserts while loading)',
      lines: [line('operations', (sample) => sample.operationsPerSecond)],
    },
    {
      title: 'Latency, ms',
      isLogarithmic: true,
      lines: [
        line('reads p50', ({ interval }) => interval.reads.p50Us / 1000),
        line('reads p99', ({ interval }) => interval.reads.p99Us / 1000),
        line('writes p50', ({ interval }) => interval.writes.p50Us / 1000),
        line('writes p99', ({ interval }) => interval.writes.p99Us / 1000),
        line('writes, slowest', ({ interval }) => interval.writes.mostUs / 1000),
      ],
    },
    {
      title: 'Memory, MB',
      lines: [
        megabytes('RssAnon + RssShmem', (sample) => sample.peakMemoryBytes),
        megabytes('delta', (sample) => sample.server.deltaBytes),
        megabytes(
          `1.25 x budget + ${MEMORY_BASE_BYTES / 1e6} MB`,
          (sample) => memoryBoundBytes(sample.server.budgetBytes),
          true,
        ),
      ],
    },
    {
      title: 'Processor time of the server per operation, us, over 10 s',
      lines: [line('us', (sample) => overTenSeconds(samples, sample, (each) => each.operationUs))],
    },
    {
      title: 'Space, MB',
      lines: [
        megabytes('block store', (sample) => sample.server.blocksBytes),
        megabytes('live in it', (sample) => sample.server.liveBytes),
        megabytes('indexes', (sample) => sample.server.indexBytes),
        megabytes(
          `${MOST_SPACE_AMPLIFICATION} x live`,
          (sample) => sample.server.liveBytes * MOST_SPACE_AMPLIFICATION,
          true,
        ),
      ],
    },
    {
      title: 'Write amplification: bytes to the disk per byte of documents, over 10 s',
      lines: [
        line('all files', (sample) =>
          overTenSeconds(samples, sample, (each) => each.writeAmplification),
        ),
      ],
    },
  ];
}

function overTenSeconds(
  samples: readonly Sample[],
  sample: Sample,
  of: (sample: Sample) => number,
): number {
  const at = samples.indexOf(sample);
  return mean(samples.slice(Math.max(0, at - 9), at + 1).map(of));
}

function mean(values_: readonly number[]): number {
  return values_.reduce((sum, value) => sum + value, 0) / values_.length;
}
