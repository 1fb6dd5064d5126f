/**
 * What flintd and flints share before they run: the command line, the configuration file, --help and --version.
 */
import { readFileSync } from 'node:fs';
import { FLINTDB_VERSION } from '../../common/version.ts';
import {
  MONGODB_VERSION,
  UsageError,
  helpText,
  mergeOptions,
  nestOptions,
  parseCommandLine,
  parseConfiguration,
  type GivenOptions,
  type OptionDefinition,
} from '../../server/index.ts';
import { EXIT } from './exit-codes.ts';
import type { Invocation } from './run-server.ts';

export interface ServerCommandLine {
  readonly name: string;
  /** Above the options in --help. */
  readonly usage: string;
  readonly table: readonly OptionDefinition[];
  /** Checks the options, and runs until the end. @returns the exit code. @throws UsageError */
  readonly run: (given: GivenOptions, invocation: Invocation) => Promise<number>;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Never returns: it ends the process. */
export async function runProgram(program: ServerCommandLine): Promise<never> {
  // The timers of the clock keep no process alive. Without this one a stop that waits for nothing else would end in the middle, with
  // exit code 0 and writes that nobody has flushed.
  setInterval(() => {}, LONGEST_TIMER_MS);
  // Nothing is left to wait for when main is through; a handle forgotten somewhere must not keep the process.
  process.exit(await main(program, process.argv.slice(2)));
}

async function main(
  { name, usage, table, run }: ServerCommandLine,
  arguments_: readonly string[],
): Promise<number> {
  try {
    const fromLine = parseCommandLine(table, arguments_);
    if (fromLine.get('help') === true) return print(helpText(usage, table));
    if (fromLine.get('version') === true) {
      return print(`${name} v${FLINTDB_VERSION} (speaks as MongoDB ${MONGODB_VERSION})\n`);
    }
    const given = mergeOptions(await readConfiguration(table, fromLine), fromLine);
    return await run(given, {
      argv: [name, ...arguments_],
      parsedOptions: nestOptions(table, given),
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${name}: ${error.message}\nTry '${name} --help' for all options.\n`);
    return EXIT.badOptions;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.clean;
}

async function readConfiguration(
  table: readonly OptionDefinition[],
  fromLine: GivenOptions,
): Promise<GivenOptions> {
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
    return parseConfiguration(table, parse(text), file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} is no YAML: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
