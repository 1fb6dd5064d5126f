/**
 * flintd, the storage server: options -> parts -> run -> close in reverse order.
 *
 * On standard output stands one line of JSON when the server is ready ({"ready":true,"port":…,"pid":…}), nothing else but, with
 * --firstSteps, what to type next. The log goes to standard error or to --logpath. SIGTERM and SIGINT stop it cleanly, exit code 0.
 */
import { readFileSync } from 'node:fs';
import { EXIT } from './exit-codes.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import {
  FLINTD_OPTIONS,
  MONGODB_VERSION,
  UsageError,
  flintdOptionsFrom,
  helpText,
  mergeOptions,
  nestOptions,
  parseCommandLine,
  parseConfiguration,
  type GivenOptions,
} from '../../server/index.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

const USAGE = `flintd, the storage server of FlintDB: speaks MongoDB's wire protocol.

  flintd --dbpath <directory> [--port <port>] [options]
  flintd --config <file.yaml>`;

// The timers of the clock keep no process alive. Without this one a stop that waits for nothing else would end in the middle, with
// exit code 0 and writes that nobody has flushed.
setInterval(() => {}, LONGEST_TIMER_MS);
// Nothing is left to wait for when main is through; a handle forgotten somewhere must not keep the process.
process.exit(await main(process.argv.slice(2)));

async function main(arguments_: readonly string[]): Promise<number> {
  try {
    const fromLine = parseCommandLine(FLINTD_OPTIONS, arguments_);
    if (fromLine.get('help') === true) return print(helpText(USAGE, FLINTD_OPTIONS));
    if (fromLine.get('version') === true) {
      return print(`flintd v${FLINTDB_VERSION} (speaks as MongoDB ${MONGODB_VERSION})\n`);
    }
    const given = mergeOptions(await readConfiguration(fromLine), fromLine);
    const options = flintdOptionsFrom(given);
    const { runFlintd } = await import('./run-flintd.ts');
    return await runFlintd(options, {
      argv: ['flintd', ...arguments_],
      parsedOptions: nestOptions(FLINTD_OPTIONS, given),
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`flintd: ${error.message}\nTry 'flintd --help' for all options.\n`);
    return EXIT.badOptions;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.clean;
}

async function readConfiguration(fromLine: GivenOptions): Promise<GivenOptions> {
  const file = fromLine.get('config');
  if (typeof file !== 'string') return new Map();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${file}: ${messageOf(error)}`);
  }
  const { parse } = await import('yaml');
  try {
    return parseConfiguration(FLINTD_OPTIONS, parse(text), file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} is no YAML: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
