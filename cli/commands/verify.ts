/**
 * `flint verify`: reads all of a store and reports what is wrong with it, by file and offset.
 *
 * Promises: only reads; not a byte in the data directory changes.
 */
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { loadServer } from '../../server/index.ts';
import { verifyStore, type VerifyReport } from '../../storage/index.ts';
import { findingText, progressOnTerminal } from '../command-line/findings-text.ts';
import { asFailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { EXIT } from '../programs/exit-codes.ts';

const GROUP = 'Verify';

export const verify: Subcommand = {
  name: 'verify',
  summary: 'Reads all of a store that no server runs on, and reports damage.',
  positionals: ['dbpath'],
  description: `Reads every page, every index entry and the journal of a data directory, compares documents with all indexes both
ways, and changes nothing. No server may run on the directory.
Exit code: 0 sound, 4 damaged, 1 it could not be verified.

Examples:
  flint verify /var/lib/flintdb
  flint verify /var/lib/flintdb --json`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints the report as one line of JSON.' },
  ],
  async run(given, [dbpath]) {
    const { indexKeyGenerator } = await loadServer();
    const report = await verifyStore({
      dbpath,
      clock: systemClock,
      random: systemRandom,
      keyGenerators: indexKeyGenerator,
      onProgress: progressOnTerminal(),
    }).catch((error: unknown) => {
      throw asFailedCommand(`cannot verify ${dbpath}`, error);
    });
    const text =
      given.get('json') === true ? `${JSON.stringify(report)}\n` : textOf(report, dbpath);
    process.stdout.write(text);
    return report.sound ? EXIT.clean : EXIT.damaged;
  },
};

function textOf(report: VerifyReport, dbpath: string): string {
  const { findings, collections, journal, checkpoint, commitNumber, pages } = report;
  const documents = collections.reduce((sum, { records }) => sum + records, 0);
  const entries = collections.reduce((sum, { indexEntries }) => sum + indexEntries, 0);
  const lines = [
    ...findings.map(findingText),
    `Checkpoint ${checkpoint} (commit ${commitNumber}): ${pages} pages, ${collections.length} collections, ${documents} documents, ${entries} index entries.`,
    `Journal: ${journal.commits} commits behind it, up to ${journal.tail}.`,
    report.sound
      ? 'Sound.'
      : `Damaged: ${findings.length} findings. To mend it: flint repair ${dbpath}`,
  ];
  return `${lines.join('\n')}\n`;
}
