/**
 * `npm run oracle -- --cases 20000` or `-- --seed 17`: random collections, indexes and queries against one flintd; each index must
 * answer as a collection scan does.
 */
import { MongoClient } from 'mongodb';
import { Program } from '../support/programs.ts';
import { runOracle } from './oracle.ts';

/** Queries of one collection. */
const QUERIES = 25;

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const only = numberAfter(args, '--seed');
  const cases = numberAfter(args, '--cases') ?? 1000;
  const first = only ?? numberAfter(args, '--from') ?? 1;
  const seeds = only === undefined ? Math.ceil(cases / QUERIES) : 1;
  const uri = textAfter(args, '--uri');
  const program = uri === undefined ? await Program.start() : undefined;
  const client = await new MongoClient(uri ?? program!.uri).connect();
  let failed = 0;
  const sum = { cases: 0, answers: 0, indexes: 0 };
  const startMs = performance.now();
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      const report = await runOracle(client.db('oracle'), seed, QUERIES);
      sum.cases += report.cases;
      sum.answers += report.answers;
      sum.indexes += report.indexes;
    } catch (error) {
      failed += 1;
      console.error(error instanceof Error ? error.message : String(error));
      if (!(error instanceof Error && error.message.startsWith('seed'))) console.error(error);
    }
  }
  await client.close();
  await program?.dispose();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `${sum.cases} cases, ${sum.answers} answers compared, ${sum.indexes} indexes, ${failed} of ${seeds} seeds failed, ${seconds} s`,
  );
  process.exit(failed === 0 ? 0 : 1);
}

function textAfter(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

function numberAfter(args: readonly string[], name: string): number | undefined {
  const text = textAfter(args, name);
  return text === undefined ? undefined : Number(text);
}

await main();
