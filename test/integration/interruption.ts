/**
 * `tsx test/integration/interruption.ts --documents 1000000`: how soon a running scan ends, whatever ends it, and what is left.
 *
 * Prints a table and exits with 1 when something took longer than it may, or something was left behind.
 */
import { parseArgs } from 'node:util';
import { InterruptionCases, LONG_ON_MANY, SCANS } from './interruption-cases.ts';

/** A running operation ends within this. */
const LIMIT_MS = 100;
/** A connection is closed within this behind its deadline of 300 ms. */
const DEADLINE_LIMIT_MS = 400;
/** A reader that has taken a part gets its time anew. */
const UNREAD_LIMIT_MS = 800;
const MANY = 1_000_000;

const { values } = parseArgs({ options: { documents: { type: 'string', default: '1000000' } } });
const documents = Number(values.documents);
if (!Number.isInteger(documents) || documents < 1) throw new Error('--documents takes a number');

let failed = false;

function report(title: string, tookMs: number, limitMs: number): void {
  const verdict = tookMs < limitMs ? 'PASS' : 'FAIL';
  if (verdict === 'FAIL') failed = true;
  console.log(
    `${title.padEnd(48)} ${tookMs.toFixed(1).padStart(8)} ms  (< ${limitMs})  ${verdict}`,
  );
}

console.log(`loading ${documents} documents`);
const cases = await InterruptionCases.start(documents);
try {
  for (const scan of [...SCANS, ...(documents < MANY ? [] : LONG_ON_MANY)]) {
    report(`${scan.title}: killOp`, await cases.killOp(scan), LIMIT_MS);
    report(`${scan.title}: maxTimeMS`, await cases.maxTimeMS(scan), LIMIT_MS);
    report(`${scan.title}: vanished client`, await cases.vanishedClient(scan), LIMIT_MS);
    await cases.expectNothingLeft();
  }
  report('half a message, behind its deadline', await cases.halfMessage(), DEADLINE_LIMIT_MS);
  report('a message byte by byte, the same', await cases.drippingMessage(), DEADLINE_LIMIT_MS);
  report('a silent connection, the same', await cases.silentConnection(), DEADLINE_LIMIT_MS);
  report('100 MB of replies unread, the same', await cases.unreadReply(), UNREAD_LIMIT_MS);
  await cases.expectNothingLeft();
  console.log('serverStatus: no operation, cursor, snapshot, connection or buffered byte is left');
  const { tookMs, exit } = await cases.shutdown();
  report(`shutdown: ${tookMs.length} running scans`, Math.max(...tookMs), LIMIT_MS);
  console.log(`the server ended with exit code ${exit.code}`);
  if (exit.code !== 0) failed = true;
} finally {
  await cases.dispose();
}
process.exitCode = failed ? 1 : 0;
