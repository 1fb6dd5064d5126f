/**
 * `npm run broken-protocol -- [--only TEXT]`: 200 connections that each break a different rule of the protocol.
 *
 * Prints each rule with what came of it, and how long a healthy client waited meanwhile. Exits with 1 when an outcome is
 * wrong or the healthy client waited 50 ms longer than
 * the machine itself lets it wait, as a server beside it shows that nobody attacks.
 */
import { parseArgs } from 'node:util';
import { protocolRules } from '../support/protocol-rules.ts';
import { runBrokenProtocol } from './broken-protocol-run.ts';

const LONGEST_WAIT_MS = 50;

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const rules = (await protocolRules()).filter(({ family, name }) =>
  `${family}: ${name}`.includes(values.only),
);
const { rules: results, healthy, violations } = await runBrokenProtocol(rules);

for (const rule of rules) {
  const result = results.find((each) => each.rule === rule);
  const elapsed = result === undefined ? '' : `${Math.round(result.elapsedMs)} ms`;
  console.log(
    [
      result?.isRight === true ? 'right' : 'WRONG',
      rule.family.padEnd(20),
      rule.name.padEnd(45),
      String(result?.outcome ?? 'not run').padEnd(10),
      elapsed.padStart(8),
      result?.isRight === true ? '' : `expected ${rule.expected}`,
    ].join(' '),
  );
}
const right = results.filter(({ isRight }) => isRight).length;
console.log(`\n${right} of ${rules.length} rules answered as they should be`);
console.log(
  `healthy client: ${healthy.answers} answers, the slowest after ${healthy.slowestMs.toFixed(1)} ms; ` +
    `from a server that nobody attacked: ${healthy.slowestElsewhereMs.toFixed(1)} ms`,
);
const longestMs = LONGEST_WAIT_MS + healthy.slowestElsewhereMs;
for (const violation of violations) console.error(`VIOLATION ${violation}`);
if (healthy.slowestMs > longestMs) {
  console.error(
    `VIOLATION the healthy client waited ${LONGEST_WAIT_MS} ms longer than the machine lets it wait`,
  );
}
const passed = right === rules.length && violations.length === 0 && healthy.slowestMs <= longestMs;
process.exitCode = passed ? 0 : 1;
