/**
 * `flint repair`: makes a store open again whose index store, superblock or journal is lost or damaged.
 *
 * Promises: asks before it writes; may be ended at any moment and begun again; lists what it could not bring back.
 */
import { createInterface } from 'node:readline/promises';
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { loadServer } from '../../server/index.ts';
import { repairStore, type RepairReport } from '../../storage/index.ts';
import { findingText, progressOnTerminal } from '../command-line/findings-text.ts';
import { asFailedCommand, FailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { EXIT } from '../programs/exit-codes.ts';

const GROUP = 'Repair';

export const repair: Subcommand = {
  name: 'repair',
  summary: 'Makes the indexes of a damaged store anew, from its documents and journal.',
  positionals: ['dbpath'],
  description: `Makes index.lmdb anew out of blocks.flint and the journal: catalog, all indexes, deletions included. It mends
superblocks, and leaves out what cannot be read, which it lists. No server may run on the directory. When
it is interrupted, run it again. If there is room, copy the whole directory first.

Examples:
  flint repair /var/lib/flintdb
  flint repair /var/lib/flintdb --yes --json`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    { flag: 'yes', short: 'y', type: 'switch', group: GROUP, help: 'Does not ask.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints the report as one line of JSON.' },
  ],
  async run(given, [dbpath]) {
    if (given.get('yes') !== true) await ask(dbpath);
    const { indexKeyGenerator, versionedKeys } = await loadServer();
    const report = await repairStore({
      dbpath,
      clock: systemClock,
      random: systemRandom,
      keyGenerators: indexKeyGenerator,
      versionedKeys,
      onProgress: progressOnTerminal(),
    }).catch((error: unknown) => {
      throw asFailedCommand(`cannot repair ${dbpath}`, error);
    });
    const text = given.get('json') === true ? `${JSON.stringify(report)}\n` : textOf(report);
    process.stdout.write(text);
    return report.lost.length === 0 ? EXIT.clean : EXIT.damaged;
  },
};

async function ask(dbpath: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new FailedCommand(`this would write to ${dbpath}: say --yes, or answer at a terminal.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Make the indexes in ${dbpath} anew? (yes/no) `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new FailedCommand('nothing was done.');
  } finally {
    terminal.close();
  }
}

function textOf(report: RepairReport): string {
  const { findings, lost, collections, checkpoint, commitNumber, pages, journalCopy } = report;
  const documents = collections.reduce((sum, { records }) => sum + records, 0);
  const indexes = collections.reduce((sum, each) => sum + each.indexes, 0);
  const lines = [
    ...findings.map(findingText),
    `Made anew from checkpoint ${checkpoint} (commit ${commitNumber}, ${pages} pages) and the journal:`,
    `${collections.length} collections, ${documents} documents, ${indexes} indexes.`,
    ...(journalCopy === undefined ? [] : [`The journal as it was: ${journalCopy}`]),
    lost.length === 0
      ? 'Nothing was lost.'
      : `${lost.length} of the findings above could not be brought back.`,
  ];
  return `${lines.join('\n')}\n`;
}
