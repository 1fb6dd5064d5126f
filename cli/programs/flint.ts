/**
 * flint, the tool for people: finds the subcommand, reads its arguments, and turns every failure into a sentence.
 */
import { FLINTDB_VERSION } from '../../common/version.ts';
import { UsageError } from '../../server/index.ts';
import { painted } from '../command-line/colours.ts';
import { settingsFor } from '../command-line/settings.ts';
import {
  FailedCommand,
  readArguments,
  subcommandHelp,
  type Subcommand,
} from '../command-line/subcommand.ts';
import { EXIT } from './exit-codes.ts';

/** By name; loaded when used. */
const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  completion: async () => (await import('../commands/completion.ts')).completion(loadAll),
  backup: async () => (await import('../commands/backup.ts')).backup,
  copy: async () => (await import('../commands/copy.ts')).copy,
  down: async () => (await import('../commands/down.ts')).down,
  export: async () => (await import('../commands/export.ts')).exportDocuments,
  import: async () => (await import('../commands/import.ts')).importDocuments,
  kill: async () => (await import('../commands/kill.ts')).kill,
  logs: async () => (await import('../commands/logs.ts')).logs,
  repair: async () => (await import('../commands/repair.ts')).repair,
  report: async () => (await import('../commands/report.ts')).report,
  restore: async () => (await import('../commands/restore.ts')).restore,
  start: async () => (await import('../commands/start.ts')).start,
  status: async () => (await import('../commands/status.ts')).status,
  top: async () => (await import('../commands/top.ts')).top,
  up: async () => (await import('../commands/up.ts')).up,
  verify: async () => (await import('../commands/verify.ts')).verify,
};

async function main([name, ...arguments_]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await usage());
    return name === undefined ? EXIT.badOptions : EXIT.clean;
  }
  if (name === '--version') {
    process.stdout.write(`flint v${FLINTDB_VERSION}\n`);
    return EXIT.clean;
  }
  const load = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (load === undefined) {
    throw new UsageError(`there is no subcommand '${name}'. flint --help lists them.`);
  }
  const subcommand = await load();
  if (arguments_.includes('--help') || arguments_.includes('-h')) {
    process.stdout.write(subcommandHelp(subcommand));
    return EXIT.clean;
  }
  const settings = settingsFor(subcommand, Object.keys(SUBCOMMANDS), process.env);
  const { given, positionals } = readArguments(subcommand, arguments_, settings);
  return subcommand.run(given, positionals);
}

function loadAll(): Promise<readonly Subcommand[]> {
  return Promise.all(Object.values(SUBCOMMANDS).map((load) => load()));
}

async function usage(): Promise<string> {
  const lines = (await loadAll()).map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`);
  return `flint, the command line tool of FlintDB (also called flintdb).

  flint <subcommand> [options]
  flint <subcommand> --help
  flint --version

Subcommands:
${lines.join('\n')}

Options may also stand in the environment (FLINT_URI, FLINT_IMPORT_BATCHSIZE) and in ~/.config/flint/flint.yaml, or the file that
FLINT_CONFIG names: 'uri', and a section of each subcommand.

Start a server with:  flintd --dbpath <directory>
Exit codes: 0 done, 1 it could not be done, 2 wrong use, 4 damage (verify, repair).
`;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

void run();

async function run(): Promise<void> {
  // The timers of the clock keep no process alive: while top waits for its next round and the server goes away, nothing else would.
  const untilTheEnd = setInterval(() => {}, LONGEST_TIMER_MS);
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (error instanceof UsageError) process.exitCode = EXIT.badOptions;
    else if (error instanceof FailedCommand) process.exitCode = EXIT.failed;
    else throw error;
    const prefix = painted('flint:', 'red', process.stderr, process.env);
    process.stderr.write(`${prefix} ${error.message}\n`);
  } finally {
    clearInterval(untilTheEnd);
  }
}
