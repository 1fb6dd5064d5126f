/**
 * `flint restore`: brings a backup back, into a data directory or into a running server.
 *
 * Promises: a damaged backup is refused before anything is written; what is there is not written over unless told to.
 */
import type { GivenOptions } from '../../server/index.ts';
import { UsageError } from '../../server/index.ts';
import { findChain, isBackup, timestampText } from '../backup/backup-chain.ts';
import { BackupDamage, reportDamage } from '../backup/backup-damage.ts';
import { timeText } from '../backup/check-cluster.ts';
import { isClusterBackup } from '../backup/cluster-manifest.ts';
import { parsePointInTime, parseWallMs } from '../backup/points-in-time.ts';
import { restoreCluster, type ClusterRestoreReport } from '../backup/restore-cluster.ts';
import {
  restoreDirectory,
  restoreDirectoryFromStream,
  type RestoreReport,
} from '../backup/restore-directory.ts';
import {
  keepNamespaces,
  restoreClusterIntoServer,
  restoreIntoServer,
} from '../backup/restore-namespaces.ts';
import { withClient } from '../command-line/connect.ts';
import { givenList } from '../command-line/given-list.ts';
import { namespaceFilter, type NamespaceFilter } from '../command-line/namespace-filter.ts';
import { documentText, Progress } from '../command-line/progress.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { restoreDump } from '../mongodump/restore.ts';
import { isConnectionString, textOf } from '../command-line/target.ts';
import { EXIT } from '../programs/exit-codes.ts';

const GROUP = 'Restore';

export const restore: Subcommand = {
  name: 'restore',
  summary: 'Restores a backup, into a data directory or into a running server.',
  positionals: ['backup', 'target'],
  description: `Brings back what flint backup took. The target is a data directory that is empty or not there yet, for a server to
start on, or the connection string of a running server. The backup is a directory, a file, or - for standard input. It is
checked first; one that is damaged is refused, and nothing is written. --to restores an earlier point in time
out of the journal that --since or --follow brought; what is missing in between is refused, never skipped. A cluster's backup
goes into a directory for flint up, or into a running cluster; --to restores the last point that is not later.
Exit code: 0 restored, 4 the backup is damaged, 1 it could not be done, or the server refused documents.

Examples:
  flint restore /backups/monday /var/lib/flintdb
  flint restore /backups/monday /var/lib/flintdb --to 2026-11-20T14:46:40Z
  flint restore /backups/monday mongodb://localhost:27017 --nsInclude 'shop.*' --nsExclude shop.log
  ssh host flint backup mongodb://localhost - | flint restore - /var/lib/flintdb
  flint restore ./dump mongodb://localhost:27017 --format mongodump`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    {
      flag: 'to',
      type: 'string',
      value: '<time>',
      group: GROUP,
      help: 'The point in time to restore: 2026-11-20T14:46:40Z (the end of that second), or an exact timestamp such as 1763650000.5. Default: the last that is there.',
    },
    {
      flag: 'base',
      type: 'string',
      value: '<backup>',
      group: GROUP,
      help: 'Where the backup lies that an incremental one goes on from, if it was moved.',
    },
    {
      flag: 'nsInclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: "Only these namespaces; * stands for anything: 'shop.*'. Default all.",
    },
    {
      flag: 'nsExclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: 'Without these namespaces.',
    },
    {
      flag: 'force',
      type: 'switch',
      group: GROUP,
      help: 'A store that the directory holds goes (other files stay); collections that the server has are dropped first.',
    },
    {
      flag: 'workDir',
      type: 'string',
      value: '<directory>',
      group: GROUP,
      help: "Where a store is made on the way into a running server. Default: the system's place for temporary files.",
    },
    {
      flag: 'format',
      type: 'string',
      value: '<format>',
      group: GROUP,
      help: 'flintdb (default), or mongodump: a directory or an archive of it, into a running server.',
    },
    { flag: 'quiet', type: 'switch', group: GROUP, help: 'Shows no progress.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints a summary as one line of JSON.' },
  ],
  async run(given, [backup, target]) {
    const progress = new Progress({ quiet: given.get('quiet') === true });
    const format = textOf(given, 'format') ?? 'flintdb';
    if (format === 'mongodump') return restoreMongodump(given, backup, target, progress);
    if (format !== 'flintdb') {
      throw new UsageError(`--format is flintdb or mongodump, not '${format}'.`);
    }
    try {
      return await restoreBackup(given, backup, target, progress);
    } catch (error) {
      if (!(error instanceof BackupDamage)) throw error;
      return reportDamage(error, given);
    }
  },
};

async function restoreBackup(
  given: GivenOptions,
  backup: string,
  target: string,
  progress: Progress,
): Promise<number> {
  const to = textOf(given, 'to');
  if (await isClusterBackup(backup)) return restoreClusterBackup(given, backup, target, progress);
  const point = to === undefined ? undefined : parsePointInTime(to);
  const filter = filterOf(given);
  const force = given.get('force') === true;
  const write = async (dbpath: string, overwrite: boolean): Promise<RestoreReport> => {
    const options = { dbpath, force: overwrite, to: point, progress };
    if (backup === '-') return restoreDirectoryFromStream(options);
    if (!(await isBackup(backup))) throw new FailedCommand(`${backup} is no backup.`);
    const base = textOf(given, 'base');
    return restoreDirectory(await findChain(backup, base), options);
  };
  if (isConnectionString(target)) {
    const workDirectory = textOf(given, 'workDir');
    const report = await restoreIntoServer((dbpath) => write(dbpath, false), {
      uri: target,
      filter: filter ?? (() => true),
      force,
      workDirectory,
      progress,
    });
    const { namespaces, documents, refused } = report;
    const what = `${documentText(documents)} in ${namespaces} namespaces, ${refused} refused; as of`;
    tell(given, what, report, { namespaces, documents, refused });
    return refused === 0 ? EXIT.clean : EXIT.failed;
  }
  const report = await write(target, force);
  const namespaces = filter === undefined ? undefined : await keepNamespaces(target, filter);
  if (namespaces === 0) {
    throw new FailedCommand(
      `the backup has no such namespace: ${target} holds a store without collections.`,
    );
  }
  const kept = namespaces === undefined ? '' : ` (${namespaces} namespaces)`;
  tell(given, `${target}${kept} is as of`, report, namespaces === undefined ? {} : { namespaces });
  return EXIT.clean;
}

async function restoreClusterBackup(
  given: GivenOptions,
  backup: string,
  target: string,
  progress: Progress,
): Promise<number> {
  const to = textOf(given, 'to');
  const filter = filterOf(given);
  const write = (dir: string, force: boolean): Promise<ClusterRestoreReport> =>
    restoreCluster(backup, {
      dir,
      force,
      toMs: to === undefined ? undefined : parseWallMs(to),
      base: textOf(given, 'base'),
      progress,
    });
  const force = given.get('force') === true;
  if (isConnectionString(target)) {
    const { report, namespaces, documents, refused } = await restoreClusterIntoServer(write, {
      uri: target,
      filter: filter ?? (() => true),
      force,
      workDirectory: textOf(given, 'workDir'),
      progress,
    });
    const what = `${documentText(documents)} in ${namespaces} namespaces, ${refused} refused; as of`;
    tellOfCluster(given, what, report, { namespaces, documents, refused });
    return refused === 0 ? EXIT.clean : EXIT.failed;
  }
  if (filter !== undefined) {
    throw new UsageError(
      '--nsInclude and --nsExclude of a cluster are for a running server or cluster: name its connection string.',
    );
  }
  const report = await write(target, force);
  tellOfCluster(given, `${target} (flint up --dir ${target}) is as of`, report, {});
  return EXIT.clean;
}

function tellOfCluster(
  given: GivenOptions,
  what: string,
  { point, servers, plainBytes }: ClusterRestoreReport,
  more: Readonly<Record<string, number>>,
): void {
  const report = {
    kind: 'cluster',
    time: timeText(point.wallMs),
    commits: Object.fromEntries(servers.map((name, index) => [name, point.commits[index]])),
    bytes: plainBytes,
    ...more,
  };
  process.stdout.write(
    given.get('json') === true
      ? `${JSON.stringify(report)}\n`
      : `Restored: ${what} ${report.time}, ${servers.length} servers (${servers.join(', ')}).\n`,
  );
}

async function restoreMongodump(
  given: GivenOptions,
  dump: string,
  uri: string,
  progress: Progress,
): Promise<number> {
  for (const flag of ['to', 'base', 'workDir']) {
    if (given.has(flag)) throw new UsageError(`--${flag} is not for --format mongodump.`);
  }
  if (!isConnectionString(uri)) {
    throw new UsageError(
      `a dump of mongodump is restored into a running server: name its connection string, not '${uri}'.`,
    );
  }
  const summary = await withClient(uri, (client) => {
    const filter = filterOf(given) ?? (() => true);
    return restoreDump(client, dump, { filter, drop: given.get('force') === true, progress });
  });
  if (given.get('json') === true) process.stdout.write(`${JSON.stringify(summary)}\n`);
  return summary.refused === 0 ? EXIT.clean : EXIT.failed;
}

function tell(
  given: GivenOptions,
  what: string,
  { at, plainBytes }: RestoreReport,
  more: Readonly<Record<string, number>>,
): void {
  const { seconds, increment } = at.timestamp;
  const report = {
    commitNumber: at.commitNumber,
    timestamp: `${seconds}.${increment}`,
    bytes: plainBytes,
    ...more,
  };
  process.stdout.write(
    given.get('json') === true
      ? `${JSON.stringify(report)}\n`
      : `Restored: ${what} commit ${at.commitNumber}, ${timestampText(at.timestamp)}.\n`,
  );
}

/** undefined: everything. */
function filterOf(given: GivenOptions): NamespaceFilter | undefined {
  const include = givenList(given, 'nsInclude');
  const exclude = givenList(given, 'nsExclude');
  if (include.length === 0 && exclude.length === 0) return undefined;
  return namespaceFilter(include, exclude);
}
