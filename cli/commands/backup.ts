/**
 * `flint backup`: copies a running server as it is at one commit, or what its journal has since another backup, while writers go on.
 *
 * Promises: what is interrupted goes on where it was when the same command is run again; nothing is written over that is a backup already.
 */
import type { GivenOptions } from '../../server/index.ts';
import { UsageError } from '../../server/index.ts';
import { MongoError } from '../../client/index.ts';
import { BackupJob, type BackupSummary } from '../backup/backup-job.ts';
import { ClusterBackupJob, type ClusterBackupSummary } from '../backup/cluster-backup-job.ts';
import { isRouter } from '../backup/cluster-servers.ts';
import { timestampText } from '../backup/backup-chain.ts';
import { BackupDamage, reportDamage } from '../backup/backup-damage.ts';
import { parseDurationMs } from '../backup/points-in-time.ts';
import { parseFileBytes, parseRate } from '../backup/rate-limit.ts';
import { withClient } from '../command-line/connect.ts';
import { givenList } from '../command-line/given-list.ts';
import { namespaceFilter } from '../command-line/namespace-filter.ts';
import { byteText, Progress } from '../command-line/progress.ts';
import { asFailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { dumpTo } from '../mongodump/dump.ts';
import { textOf } from '../command-line/target.ts';
import { EXIT } from '../programs/exit-codes.ts';

const GROUP = 'Backup';

export const backup: Subcommand = {
  name: 'backup',
  summary: 'Backs up a running server, whole, since an earlier backup, or on and on.',
  positionals: ['uri', 'target'],
  description: `Copies a running FlintDB as it is at one commit, while it goes on serving. The target is a directory, made if need be, or
- for standard output. A backup that was interrupted goes on when the same command is run again. --since copies what
was written since another backup, out of the journal (a server keeps it as --oplogSize and --oplogMinRetentionHours
say); where the journal does not reach back so far, the backup becomes a full one. Of a router, the whole cluster is copied, all
shards and the config server at one point. --follow takes a backup, if the
directory has none, and then streams the journal there until it is stopped (Ctrl-C, SIGTERM): any point in time
since then can be restored.
Exit code: 0 done, 1 it could not be done, 4 what the target holds already is damaged.

Examples:
  flint backup mongodb://localhost:27017 /backups/monday
  flint backup mongodb://localhost:27017 /backups/tuesday --since /backups/monday
  flint backup mongodb://localhost:27017 /backups/live --follow
  flint backup mongodb://router:27017 /backups/cluster
  flint backup mongodb://localhost:27017 - --rate 50MB | ssh vault 'cat > flintdb.backup'
  flint backup mongodb://localhost:27017 ./dump --format mongodump`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    {
      flag: 'since',
      type: 'string',
      value: '<backup>',
      group: GROUP,
      help: 'Only what was written since this backup.',
    },
    {
      flag: 'follow',
      type: 'switch',
      group: GROUP,
      help: 'Streams the journal to the target until it is stopped.',
    },
    {
      flag: 'rate',
      type: 'string',
      value: '<bytes>',
      group: GROUP,
      help: 'Bytes per second at most, such as 50MB or 500k. Default as fast as it goes.',
    },
    {
      flag: 'fileSize',
      type: 'string',
      value: '<bytes>',
      group: GROUP,
      help: 'With --follow: the journal goes on in another file when one has so many bytes. Default 256MB.',
    },
    {
      flag: 'keep',
      type: 'string',
      value: '<time>',
      group: GROUP,
      help: 'With --follow: what is older than that, such as 7d, 24h or 90m, is let go. A new full backup takes the place of the old one from time to time. Default: everything stays.',
    },
    {
      flag: 'pointEvery',
      type: 'integer',
      value: '<seconds>',
      range: [1, 86_400],
      group: GROUP,
      help: 'With --follow, of a cluster: how often there is a point in time that can be restored. Default: every second, and rarer on servers so busy that it would hold clients up for more than a fiftieth of the time.',
    },
    {
      flag: 'force',
      type: 'switch',
      group: GROUP,
      help: 'A finished backup in the target is replaced.',
    },
    {
      flag: 'format',
      type: 'string',
      value: '<format>',
      group: GROUP,
      help: 'flintdb (default), or mongodump: a directory that mongorestore reads; with - an archive.',
    },
    { flag: 'archive', type: 'switch', group: GROUP, help: 'With --format mongodump: one file.' },
    { flag: 'gzip', type: 'switch', group: GROUP, help: 'With --format mongodump: compressed.' },
    {
      flag: 'nsInclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: 'With --format mongodump: only these namespaces.',
    },
    {
      flag: 'nsExclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: 'With --format mongodump: without these namespaces.',
    },
    { flag: 'quiet', type: 'switch', group: GROUP, help: 'Shows no progress.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints a summary as one line of JSON.' },
  ],
  run(given, [uri, target]) {
    // What is backed up goes to standard output then.
    const toOutput = target === '-';
    if (toOutput && given.get('json') === true) {
      throw new UsageError('--json and a backup to standard output exclude each other.');
    }
    const progress = new Progress({ quiet: given.get('quiet') === true });
    const format = textOf(given, 'format') ?? 'flintdb';
    if (format === 'mongodump') return backupMongodump(given, uri, target, progress);
    if (format !== 'flintdb') {
      throw new UsageError(`--format is flintdb or mongodump, not '${format}'.`);
    }
    refuse(given, MONGODUMP_ONLY, 'is for --format mongodump only');
    return withClient(
      uri,
      async (client) => {
        const since = textOf(given, 'since');
        const rate = textOf(given, 'rate');
        const fileSize = textOf(given, 'fileSize');
        const pointEvery = given.get('pointEvery');
        const keep = textOf(given, 'keep');
        if (keep !== undefined && given.get('follow') !== true) {
          throw new UsageError('--keep is for --follow: it says how far that reaches back.');
        }
        const options = {
          target,
          keepMs: keep === undefined ? undefined : parseDurationMs(keep),
          since,
          follow: given.get('follow') === true,
          force: given.get('force') === true,
          bytesPerSecond: rate === undefined ? undefined : parseRate(rate),
          fileBytes: fileSize === undefined ? undefined : parseFileBytes(fileSize),
          progress,
        };
        const job = (await isRouter(client))
          ? new ClusterBackupJob(client, {
              ...options,
              uri,
              clientOptions: CLIENT_OPTIONS,
              pointEveryMs: pointEvery === undefined ? undefined : Number(pointEvery) * 1000,
            })
          : new BackupJob(client, options);
        const stop = (): void => job.stop();
        process.once('SIGINT', stop).once('SIGTERM', stop);
        try {
          const summary = await job.run();
          if (summary.kind === 'cluster') tellOfCluster(given, target, summary);
          else tell(given, target, summary);
        } catch (error) {
          if (error instanceof BackupDamage) return reportDamage(error, given);
          // A full disk, a pipe that nobody reads any more.
          if (error instanceof MongoError) throw error;
          throw asFailedCommand(`cannot write the backup to ${target}`, error);
        } finally {
          process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
        }
        return EXIT.clean;
      },
      CLIENT_OPTIONS,
    );
  },
};

/** Who follows a journal is there again soon after the server is. */
const CLIENT_OPTIONS = { heartbeatFrequencyMS: 1000 };
const MONGODUMP_ONLY = ['archive', 'gzip', 'nsInclude', 'nsExclude'];
const FLINTDB_ONLY = ['since', 'follow', 'rate', 'fileSize', 'pointEvery', 'keep'];

async function backupMongodump(
  given: GivenOptions,
  uri: string,
  target: string,
  progress: Progress,
): Promise<number> {
  refuse(given, FLINTDB_ONLY, 'is not for --format mongodump');
  const summary = await withClient(uri, (client) =>
    dumpTo(client, target, {
      filter: namespaceFilter(givenList(given, 'nsInclude'), givenList(given, 'nsExclude')),
      archive: given.get('archive') === true,
      gzip: given.get('gzip') === true,
      overwrite: given.get('force') === true,
      progress,
    }),
  );
  if (given.get('json') === true) process.stdout.write(`${JSON.stringify(summary)}\n`);
  return EXIT.clean;
}

function tell(given: GivenOptions, target: string, summary: BackupSummary): void {
  const { kind, backupId, at, plainBytes, storedBytes, commits, seconds, resumed } = summary;
  const { timestamp, commitNumber } = at;
  const report = {
    kind,
    backupId,
    commitNumber,
    timestamp: `${timestamp.seconds}.${timestamp.increment}`,
    bytes: plainBytes,
    storedBytes,
    ...(commits === undefined ? {} : { commits }),
    seconds: Number(seconds.toFixed(3)),
    resumed,
  };
  if (target === '-') return;
  const rate = byteText(plainBytes / Math.max(seconds, 0.001));
  process.stdout.write(
    given.get('json') === true
      ? `${JSON.stringify(report)}\n`
      : `${target} is ${kind === 'full' ? 'the store' : 'the journal'} as of commit ${commitNumber}, ${timestampText(timestamp)}: ${byteText(plainBytes)} in ${byteText(storedBytes)}, ${seconds.toFixed(1)} s (${rate}/s).\n`,
  );
}

function tellOfCluster(given: GivenOptions, target: string, summary: ClusterBackupSummary): void {
  const { at, servers, heldMs, plainBytes, storedBytes, seconds, points, ...rest } = summary;
  const time = new Date(at.wallMs).toISOString();
  const longestMs = Math.max(0, ...heldMs);
  const report = {
    ...rest,
    time,
    commits: Object.fromEntries(servers.map((name, index) => [name, at.commits[index]])),
    points,
    heldMillis: { longest: Number(longestMs.toFixed(1)), all: heldMs.map(Math.round) },
    bytes: plainBytes,
    storedBytes,
    seconds: Number(seconds.toFixed(3)),
  };
  process.stdout.write(
    given.get('json') === true
      ? `${JSON.stringify(report)}\n`
      : `${target} is the cluster (${servers.join(', ')}) as of ${time}: ${byteText(plainBytes)} in ${byteText(storedBytes)}, ${seconds.toFixed(1)} s. Clients waited for at most ${longestMs.toFixed(0)} ms at ${points} points.\n`,
  );
}

function refuse(given: GivenOptions, flags: readonly string[], why: string): void {
  const flag = flags.find((each) => given.has(each));
  if (flag !== undefined) throw new UsageError(`--${flag} ${why}.`);
}
