/**
 * Question: how evenly are inserts answered while they come faster than checkpoints fold them?
 *
 * As many connections as given insert documents of 1 KiB, with an index on scattered numbers beside _id, one after the other, at full
 * speed, into a delta of 64 MiB by default: a checkpoint runs most of the time.
 * Estimate beforehand: 30,000 inserts/s fill half of the delta in a second, a fold of 60,000 index entries takes about as long. So
 * writers are slowed by a fifth, each by a few milliseconds, and nobody waits for a whole checkpoint: no 200 ms without an answer.
 */
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { runLoad } from '../../test/soak/run-load.ts';
import { takeSample } from '../../test/soak/samples.ts';
import { Program } from '../../test/support/programs.ts';
import { formatNumber, printMachine, printTable } from './report.ts';

const LONGEST_GAP_MS = 200;

/** @param args --seconds 60, --connections 64, --cacheSizeMB 64. @returns whether no time without an answer was too long */
export async function run(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '60' },
      connections: { type: 'string', default: '64' },
      cacheSizeMB: { type: 'string', default: '64' },
    },
  });
  printMachine();
  const program = await Program.start({
    args: ['--cacheSizeGB', String(Number(values.cacheSizeMB) / 1024), '--slowms', '10000'],
  });
  const client = await MongoClient.connect(program.uri);
  const rows: string[][] = [];
  let longestGapMs = 0;
  try {
    const load = runLoad({
      port: program.port,
      connections: Number(values.connections),
      documents: 0,
      seconds: Number(values.seconds),
      mix: { insert: 1 },
    });
    for await (const { phase, seconds, operations, writes, longestGapMs: gapMs } of load) {
      if (phase !== 'mix' || seconds < 0.5) continue;
      const { deltaBytes, delayedWrites } = await takeSample(program, client.db('admin'));
      longestGapMs = Math.max(longestGapMs, gapMs);
      rows.push([
        String(rows.length + 1),
        formatNumber((operations['insert'] ?? 0) / seconds),
        ...[writes.p50Us, writes.p99Us, writes.p999Us, writes.mostUs].map(milliseconds),
        gapMs.toFixed(0),
        formatNumber(deltaBytes / 1e6),
        formatNumber(delayedWrites),
      ]);
    }
  } finally {
    await client.close();
    await program.stop();
    await program.dispose();
  }
  const titles = ['second', 'inserts/s', 'p50 ms', 'p99', 'p99.9', 'worst', 'longest gap'];
  printTable([...titles, 'delta MB', 'delayed'], rows);
  const holds = longestGapMs <= LONGEST_GAP_MS;
  const verdict = holds ? 'PASS' : 'FAIL';
  process.stdout.write(
    `longest time without an answer: ${longestGapMs.toFixed(0)} ms of at most ${LONGEST_GAP_MS}  ${verdict}\n`,
  );
  return holds;
}

function milliseconds(us: number): string {
  return (us / 1000).toFixed(1);
}
