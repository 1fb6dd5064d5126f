/**
 * Options of subcommands that stand in the environment or in a file: what is typed again and again.
 *
 * Promises: the command line wins over the environment, and that over the file; a setting that is not there is refused by
 * name. The file is YAML: `uri`, and a section of each subcommand with its options' names; FLINT_CONFIG names it, else it is
 * flint.yaml in the directory for settings ($XDG_CONFIG_HOME/flint, ~/.config/flint), if it is there. Variables are FLINT_URI and
 * FLINT_<SUBCOMMAND>_<OPTION>, such as FLINT_IMPORT_BATCHSIZE.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import {
  mergeOptions,
  parseCommandLine,
  parseConfiguration,
  UsageError,
  type GivenOptions,
  type OptionDefinition,
} from '../../server/index.ts';

export interface Settings {
  /** The server, for subcommands that were given none. */
  readonly uri: string | undefined;
  readonly options: GivenOptions;
}

/** What of a subcommand settings are read by. */
export interface Configurable {
  readonly name: string;
  readonly options: readonly OptionDefinition[];
}

/** Never from settings: who asks for help, or forces something, says so each time. */
const ONLY_TYPED: ReadonlySet<string> = new Set(['help', 'yes', 'force', 'drop', 'uri']);

/** @param names of all subcommands: no other section is in the file. @throws UsageError */
export function settingsFor(
  subcommand: Configurable,
  names: readonly string[],
  environment: NodeJS.ProcessEnv,
): Settings {
  const table = subcommand.options.filter(({ flag }) => !ONLY_TYPED.has(flag));
  const file = readFile(environment);
  const section = checkedSection(file, subcommand.name, names);
  const known = table.map((option) => ({ ...option, yaml: option.flag }));
  const fromFile = parseConfiguration(known, section, `${file.path}, ${subcommand.name}`);
  const fromEnvironment = parseEnvironment(subcommand.name, table, environment);
  return {
    uri: environment['FLINT_URI'] ?? file.uri,
    options: mergeOptions(fromFile, fromEnvironment),
  };
}

interface SettingsFile {
  readonly path: string;
  readonly uri: string | undefined;
  readonly sections: ReadonlyMap<string, unknown>;
}

function readFile(environment: NodeJS.ProcessEnv): SettingsFile {
  const named = environment['FLINT_CONFIG'];
  const home = environment['XDG_CONFIG_HOME'] ?? join(environment['HOME'] ?? homedir(), '.config');
  const path = named ?? join(home, 'flint', 'flint.yaml');
  const content = contentOf(path, named !== undefined);
  if (content === null || content === undefined) {
    return { path, uri: undefined, sections: new Map() };
  }
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new UsageError(`${path} holds no settings: it should be a map of sections.`);
  }
  const sections = new Map<string, unknown>(Object.entries(content));
  const uri = sections.get('uri');
  sections.delete('uri');
  if (uri !== undefined && typeof uri !== 'string')
    throw new UsageError(`uri in ${path} needs a text as its value.`);
  return { path, uri, sections };
}

/** @returns undefined when there is no file, and none was named. */
function contentOf(path: string, isNamed: boolean): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!isNamed) return undefined;
    throw new UsageError(
      `FLINT_CONFIG: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  try {
    return parseYaml(text);
  } catch (error) {
    throw new UsageError(
      `${path} is no YAML: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function checkedSection(
  { path, sections }: SettingsFile,
  name: string,
  names: readonly string[],
): unknown {
  const unknown = [...sections.keys()].find((section) => !names.includes(section));
  if (unknown !== undefined) throw new UsageError(`${path}: there is no subcommand '${unknown}'.`);
  return sections.get(name);
}

function parseEnvironment(
  name: string,
  table: readonly OptionDefinition[],
  environment: NodeJS.ProcessEnv,
): GivenOptions {
  const prefix = `FLINT_${name.toUpperCase()}_`;
  let given: GivenOptions = new Map();
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(prefix) || value === undefined) continue;
    const option = table.find(({ flag }) => flag.toUpperCase() === variable.slice(prefix.length));
    if (option === undefined)
      throw new UsageError(`${variable}: flint ${name} has no such option to set.`);
    try {
      given = mergeOptions(given, parseCommandLine(table, [`--${option.flag}=${value}`]));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${variable}: ${error.message}`);
    }
  }
  return given;
}
