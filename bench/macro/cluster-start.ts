/**
 * Question: how long does `flint up --shards 2 --detach` take until a client's first insert is acknowledged?
 *
 * Estimate beforehand: flintd and flints take 200-300 ms each to start; config server and shards start beside each other, then the router,
 * then the shards are added, 50 ms each; the driver connects in 30 ms, the first insert makes a database, 30 ms. On two cores about 1.2 s.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { removeTemporaryDirectory, temporaryDirectory } from '../../test/support/programs.ts';
import { quantileOf, sorted } from './latencies.ts';
import { formatNumber, median, printMachine, printTable } from './report.ts';

const FLOOR_MS = 3_000;
const FLINT = fileURLToPath(new URL('../../bin/flint', import.meta.url));
const runProgram = promisify(execFile);

/** @param args --runs 5 --shards 2. @returns whether the median is below the floor. */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: { runs: { type: 'string', default: '5' }, shards: { type: 'string', default: '2' } },
  });
  printMachine();
  const first: number[] = [];
  const again: number[] = [];
  for (let index = 0; index < Number(values.runs); index += 1) {
    const directory = temporaryDirectory();
    const dir = join(directory, 'cluster');
    try {
      first.push(await timeStart(dir, ['--shards', values.shards]));
      again.push(await timeStart(dir, []));
    } finally {
      removeTemporaryDirectory(directory);
    }
  }
  const rows = [
    row(`new cluster of ${values.shards} shards`, first, FLOOR_MS),
    row('the same one again', again, undefined),
  ];
  printTable(
    ['flint up to the first insert', 'median ms', 'fastest', 'slowest', 'floor', ''],
    rows,
  );
  return median(first) < FLOOR_MS;
}

/** Starts it, inserts, and takes it down. @returns milliseconds until the insert was acknowledged. */
async function timeStart(dir: string, args: readonly string[]): Promise<number> {
  const beganMs = performance.now();
  try {
    const { stdout } = await runProgram(FLINT, ['up', ...args, '--dir', dir, '--detach']);
    const uri = stdout.trim().split('\n').at(-1) ?? '';
    const client = await MongoClient.connect(uri);
    await client.db('bench').collection('first').insertOne({ a: 1 });
    const tookMs = performance.now() - beganMs;
    await client.close();
    return tookMs;
  } finally {
    await runProgram(FLINT, ['down', '--dir', dir]);
  }
}

function row(
  title: string,
  times: readonly number[],
  floorMs: number | undefined,
): readonly string[] {
  const ordered = sorted(times);
  const verdict = floorMs === undefined ? '' : median(times) < floorMs ? 'PASS' : 'FAIL';
  return [
    title,
    formatNumber(median(times)),
    formatNumber(quantileOf(ordered, 0)),
    formatNumber(quantileOf(ordered, 1)),
    floorMs === undefined ? '-' : String(floorMs),
    verdict,
  ];
}
