/**
 * What a subcommand of `flint` is, and how its arguments are read: names first or between options, options by its table.
 */
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import {
  UsageError,
  helpText,
  mergeOptions,
  parseCommandLine,
  type GivenOptions,
  type OptionDefinition,
  type OptionValue,
} from '../../server/index.ts';
import type { Settings } from './settings.ts';

export interface Subcommand {
  readonly name: string;
  /** One line for `flint --help`. */
  readonly summary: string;
  /** Names of what is given without a flag, in order; one in brackets may be left out: `[target]`. */
  readonly positionals: readonly string[];
  /** What it does, in a few lines, and examples. */
  readonly description: string;
  readonly options: readonly OptionDefinition[];
  /** @returns the exit code. @throws UsageError, FailedCommand */
  run(given: GivenOptions, positionals: readonly string[]): Promise<number>;
}

/** The subcommand could not do it: a sentence for a person, exit code 1. */
export class FailedCommand extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FailedCommand';
  }
}

/** What can go wrong with a store or its directory, as a sentence; anything else is a bug and stays as it is. */
export function asFailedCommand(what: string, error: unknown): unknown {
  const isForeseen =
    error instanceof CommandError ||
    error instanceof CorruptionError ||
    error instanceof DeviceError ||
    (error instanceof Error && 'code' in error);
  return isForeseen ? new FailedCommand(`${what}: ${error.message}`) : error;
}

/** @throws UsageError for an unknown option, or too many or too few names. */
export function readArguments(
  subcommand: Subcommand,
  arguments_: readonly string[],
  settings: Settings = NO_SETTINGS,
): { readonly given: GivenOptions; readonly positionals: readonly string[] } {
  const { flags, positionals: names } = separate(subcommand.options, arguments_);
  const typed = parseCommandLine(subcommand.options, flags);
  const given = new Map(mergeOptions(settings.options, typed));
  const positionals = withServer(subcommand, names, given, settings.uri);
  const needed = subcommand.positionals.filter((name) => !name.startsWith('['));
  if (positionals.length < needed.length) {
    throw new UsageError(`flint ${subcommand.name} needs ${needed[positionals.length]}.`);
  }
  if (positionals.length > subcommand.positionals.length) {
    const surplus = positionals[subcommand.positionals.length];
    throw new UsageError(`flint ${subcommand.name} does not know what to do with '${surplus}'.`);
  }
  return { given, positionals };
}

const NO_SETTINGS: Settings = { uri: undefined, options: new Map() };

/** The server of the settings where none was typed; other names may have been typed nevertheless. */
function withServer(
  { options, positionals }: Subcommand,
  names: readonly string[],
  given: Map<string, OptionValue>,
  uri: string | undefined,
): readonly string[] {
  // Where a data directory may be named in its place, no server is meant.
  const takesServer =
    /^\[?uri\]?$/.test(positionals[0] ?? '') && !options.some(({ flag }) => flag === 'dbpath');
  if (uri === undefined || !takesServer || names.some(isServer) || given.has('uri')) return names;
  if (!options.some(({ flag }) => flag === 'uri')) return names.length === 0 ? [uri] : names;
  given.set('uri', uri);
  return names;
}

function isServer(name: string): boolean {
  return /^mongodb(\+srv)?:\/\//.test(name);
}

export function subcommandHelp(subcommand: Subcommand): string {
  const names = subcommand.positionals.map((name) => ` ${name}`).join('');
  const usage = `flint ${subcommand.name}${names} [options]\n\n${subcommand.description}`;
  return helpText(usage, subcommand.options);
}

/** An option's value is not mistaken for a name: `--interval 5 mongodb://host`. */
function separate(
  table: readonly OptionDefinition[],
  arguments_: readonly string[],
): { flags: string[]; positionals: string[] } {
  const flags: string[] = [];
  const positionals: string[] = [];
  let takesNext = false;
  for (const argument of arguments_) {
    if (takesNext) {
      flags.push(argument);
      takesNext = false;
    } else if (argument.startsWith('-') && argument !== '-') {
      flags.push(argument);
      const option = table.find(
        ({ flag, short }) =>
          argument === `--${flag}` || (short !== undefined && argument === `-${short}`),
      );
      takesNext = option !== undefined && option.type !== 'switch';
    } else positionals.push(argument);
  }
  return { flags, positionals };
}
