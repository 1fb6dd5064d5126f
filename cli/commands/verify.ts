/**
 * `flint verify`: reads all of a store and reports what is wrong with it, by file and offset.
 *
 * Promises: only reads; not a byte in the data directory changes.
 */
import { stat } from 'node:fs/promises';
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { loadServer } from '../../server/index.ts';
import type { GivenOptions } from '../../server/index.ts';
import { verifyStore, type Timestamp, type VerifyReport } from '../../storage/index.ts';
import {
  findChain,
  isBackup,
  timestampText,
  type ChainEnd,
  type CutFile,
} from '../backup/backup-chain.ts';
import { BackupDamage, reportDamage } from '../backup/backup-damage.ts';
import { checkBackup } from '../backup/check-backup.ts';
import { checkClusterBackup, timeText } from '../backup/check-cluster.ts';
import { isClusterBackup } from '../backup/cluster-manifest.ts';
import { byteText, Progress } from '../command-line/progress.ts';
import { findingText, progressOnTerminal } from '../command-line/findings-text.ts';
import { asFailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { textOf as optionText } from '../command-line/target.ts';
import { EXIT } from '../programs/exit-codes.ts';

const GROUP = 'Verify';

export const verify: Subcommand = {
  name: 'verify',
  summary: 'Reads all of a store that no server runs on, or of a backup, and reports damage.',
  positionals: ['dbpath-or-backup'],
  description: `Reads every page, every index entry and the journal of a data directory, compares documents with all indexes both
ways, and changes nothing. No server may run on the directory. Of a backup it reads every byte, together with
the backups that it goes on from, and names file and offset of what is damaged.
Exit code: 0 sound, 4 damaged, 1 it could not be verified.

Examples:
  flint verify /var/lib/flintdb
  flint verify /var/lib/flintdb --json
  flint verify /backups/monday`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    {
      flag: 'base',
      type: 'string',
      value: '<backup>',
      group: GROUP,
      help: 'Where the backup lies that an incremental one goes on from, if it was moved.',
    },
    { flag: 'quiet', type: 'switch', group: GROUP, help: 'Shows no progress.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints the report as one line of JSON.' },
  ],
  async run(given, [dbpath]) {
    const isFile = (await stat(dbpath).catch(() => undefined))?.isFile() === true;
    if (await isClusterBackup(dbpath)) return verifyCluster(given, dbpath);
    if (isFile || (await isBackup(dbpath))) return verifyBackup(given, dbpath);
    const { indexKeyGenerator } = await loadServer();
    const report = await verifyStore({
      dbpath,
      clock: systemClock,
      random: systemRandom,
      keyGenerators: indexKeyGenerator,
      onProgress: given.get('quiet') === true ? () => {} : progressOnTerminal(),
    }).catch((error: unknown) => {
      throw asFailedCommand(`cannot verify ${dbpath}`, error);
    });
    const text =
      given.get('json') === true ? `${JSON.stringify(report)}\n` : textOf(report, dbpath);
    process.stdout.write(text);
    return report.sound ? EXIT.clean : EXIT.damaged;
  },
};

async function verifyCluster(given: GivenOptions, path: string): Promise<number> {
  try {
    const progress = new Progress({ quiet: given.get('quiet') === true });
    const check = await checkClusterBackup(path, optionText(given, 'base'), progress);
    const { points } = check;
    const [from, to] = [points[0], points[points.length - 1]].map(({ wallMs }) => timeText(wallMs));
    const names = check.servers.map(({ server }) => server.name);
    const report = {
      sound: true,
      kind: 'cluster',
      servers: names,
      files: check.files,
      storedBytes: check.storedBytes,
      points: points.length,
      from,
      to,
    };
    process.stdout.write(
      given.get('json') === true
        ? `${JSON.stringify(report)}\n`
        : `Sound: ${names.length} servers (${names.join(', ')}), ${check.files} files, ${byteText(check.storedBytes)}. It restores ${points.length} points in time from ${from} to ${to}.\n`,
    );
    return EXIT.clean;
  } catch (error) {
    if (error instanceof BackupDamage) return reportDamage(error, given);
    throw error;
  }
}

async function verifyBackup(given: GivenOptions, path: string): Promise<number> {
  const base = optionText(given, 'base');
  try {
    const chain = await findChain(path, base);
    const check = await checkBackup(chain, new Progress({ quiet: given.get('quiet') === true }));
    const { description } = chain;
    const { last, coveredTo, files, storedBytes, entries, sectors, cut, open } = check;
    const report = {
      sound: true,
      files,
      storedBytes,
      entries,
      sectors,
      from: exact(description.point.timestamp),
      to: exact(last.timestamp),
      commitNumber: last.commitNumber,
      cut,
      finished: open === undefined,
    };
    process.stdout.write(
      given.get('json') === true
        ? `${JSON.stringify(report)}\n`
        : `Sound: ${files} files, ${byteText(storedBytes)}. It restores any point in time from ${timestampText(description.point.timestamp)} to ${timestampText(coveredTo)} (last commit ${last.commitNumber}).\n${cut.map(cutText).join('')}${openText(open)}`,
    );
    return EXIT.clean;
  } catch (error) {
    if (error instanceof BackupDamage) return reportDamage(error, given);
    throw error;
  }
}

function cutText({ file, offset }: CutFile): string {
  return `${file} ends within a frame, at offset ${offset}: it was interrupted there, or has lost its end.\n`;
}

function openText(open: ChainEnd['open']): string {
  if (open === undefined) return '';
  return open.isFollowed
    ? `${open.file} has no end: whoever follows the journal still does, or was interrupted.\n`
    : `${open.file} is not finished: run the same flint backup again.\n`;
}

function exact({ seconds, increment }: Timestamp): string {
  return `${seconds}.${increment}`;
}

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
