/**
 * Question: how long does a person, or a test suite, wait for flintd?
 *
 * Measured from the start of the process until a TCP connection has been accepted and has answered hello: on an empty
 * directory, and on one with 150,000 documents after a clean stop and after kill -9.
 * Estimate beforehand: Node itself 40 ms, loading the compiled modules 60-100, LMDB and its worker 30, an empty journal 10.
 */
import { parseArgs } from 'node:util';
import { systemClock } from '../../common/clock.ts';
import {
  Program,
  removeTemporaryDirectory,
  temporaryDirectory,
} from '../../test/support/programs.ts';
import { Connection } from '../../wire/index.ts';
import { runLoad } from '../load/run.ts';
import { formatNumber, median, printMachine, printTable } from './report.ts';

const FLOOR_MS = 400;
const LOADED_DOCUMENTS = 150_000;

/** @param args --runs 10. @returns whether the medians of the clean starts are below the floor. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: { runs: { type: 'string', default: '10' } },
  });
  const runs = Number(values.runs);
  printMachine();
  const empty = await timeEmptyStarts(runs);
  const directory = temporaryDirectory();
  await fill(directory);
  const loaded = await timeStarts(directory, { runs, endBy: 'SIGTERM' });
  const crashed = await timeStarts(directory, { runs, endBy: 'SIGKILL' });
  removeTemporaryDirectory(directory);
  const rows = [
    row('empty directory', empty, FLOOR_MS),
    row('150,000 documents', loaded, FLOOR_MS),
    row('150,000 documents, after kill -9', crashed, undefined),
  ];
  printTable(['start of flintd', 'median ms', 'fastest', 'slowest', 'floor', ''], rows);
  return median(empty) < FLOOR_MS && median(loaded) < FLOOR_MS;
}

/** Starts on `dbpath` and waits for the answer to hello. */
async function timeStart(dbpath: string): Promise<{ program: Program; tookMs: number }> {
  const beganMs = performance.now();
  const program = await Program.start({ dbpath });
  const connection = await Connection.connect({
    address: { host: '127.0.0.1', port: program.port },
    clock: systemClock,
    metadata: { driver: { name: 'flintdb-bench', version: '1' } },
  });
  const tookMs = performance.now() - beganMs;
  connection.close();
  return { program, tookMs };
}

async function timeEmptyStarts(runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < runs; index += 1) {
    const directory = temporaryDirectory();
    const { program, tookMs } = await timeStart(directory);
    times.push(tookMs);
    await program.stop();
    removeTemporaryDirectory(directory);
  }
  return times;
}

interface Repetition {
  readonly runs: number;
  /** How each run ends, and so what the next one finds. */
  readonly endBy: NodeJS.Signals;
}

async function timeStarts(directory: string, repetition: Repetition): Promise<number[]> {
  const first = await timeStart(directory);
  await first.program.stop(repetition.endBy);
  const times: number[] = [];
  for (let index = 0; index < repetition.runs; index += 1) {
    const { program, tookMs } = await timeStart(directory);
    times.push(tookMs);
    await program.stop(repetition.endBy);
  }
  return times;
}

async function fill(directory: string): Promise<void> {
  const program = await Program.start({ dbpath: directory });
  await runLoad({
    port: program.port,
    operation: 'insertMany',
    collection: 'documents',
    connections: 4,
    depth: 1,
    warmupSeconds: 0,
    seconds: 120,
    stopAfterDocuments: LOADED_DOCUMENTS,
    idsBelow: LOADED_DOCUMENTS,
    firstId: 0,
    batch: 1000,
  });
  await program.stop();
}

function row(title: string, times: readonly number[], floorMs: number | undefined): string[] {
  const verdict = floorMs === undefined ? '' : median(times) < floorMs ? 'PASS' : 'FAIL';
  return [
    title,
    formatNumber(Math.round(median(times))),
    formatNumber(Math.round(Math.min(...times))),
    formatNumber(Math.round(Math.max(...times))),
    floorMs === undefined ? '-' : String(floorMs),
    verdict,
  ];
}
