/**
 * Command line and configuration file to options, by a program's table. What the table does not know is refused.
 *
 * Promises: the command line wins over the file; a known but unsupported option is refused with its own sentence.
 */
import {
  UsageError,
  parseValue,
  type GivenOptions,
  type OptionDefinition,
  type OptionValue,
} from './option-table.ts';

/** @param arguments_ what follows the program's name. @throws UsageError */
export function parseCommandLine(
  table: readonly OptionDefinition[],
  arguments_: readonly string[],
): Map<string, OptionValue> {
  const given = new Map<string, OptionValue>();
  const rest = [...arguments_];
  for (;;) {
    const argument = rest.shift();
    if (argument === undefined) return given;
    const { option, where, attached } = recognise(table, argument);
    refuseUnsupported(option, where);
    if (option.type === 'switch' && attached === undefined) {
      put(given, option, true, where);
      continue;
    }
    const value = attached ?? rest.shift();
    if (value === undefined) throw new UsageError(`${where} needs a value.`);
    put(given, option, parseValue(option, value, where), where);
  }
}

/** @param document the parsed YAML file. @throws UsageError */
export function parseConfiguration(
  table: readonly OptionDefinition[],
  document: unknown,
  file: string,
): Map<string, OptionValue> {
  const given = new Map<string, OptionValue>();
  const byPath = new Map<string, OptionDefinition>();
  for (const option of table) if (option.yaml !== undefined) byPath.set(option.yaml, option);
  const visit = (node: unknown, path: string): void => {
    const option = byPath.get(path);
    if (option !== undefined) {
      const where = `${path} in ${file}`;
      refuseUnsupported(option, where);
      put(given, option, parseValue(option, node, where), where);
      return;
    }
    if (!isMap(node)) throw new UsageError(`${file}: there is no option ${path || 'at its top'}.`);
    for (const [name, child] of Object.entries(node)) {
      visit(child, path === '' ? name : `${path}.${name}`);
    }
  };
  // An empty file has no document.
  if (document !== null && document !== undefined) visit(document, '');
  return given;
}

/** Joins both; the command line wins, option by option (parameter by parameter for setParameter). */
export function mergeOptions(fromFile: GivenOptions, fromLine: GivenOptions): GivenOptions {
  const merged = new Map(fromFile);
  for (const [flag, value] of fromLine) {
    const below = merged.get(flag);
    merged.set(
      flag,
      value instanceof Map && below instanceof Map ? new Map([...below, ...value]) : value,
    );
  }
  return merged;
}

/** Options as a YAML file would nest them, for getCmdLineOpts: plain values. */
export function nestOptions(
  table: readonly OptionDefinition[],
  given: GivenOptions,
): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const option of table) {
    const value = given.get(option.flag);
    if (value === undefined) continue;
    const parts = (option.yaml ?? option.flag).split('.');
    const last = parts.pop() ?? option.flag;
    let node = root;
    for (const part of parts) {
      const child = node[part];
      const next: Record<string, unknown> = isMap(child) ? child : {};
      node[part] = next;
      node = next;
    }
    node[last] = plain(value);
  }
  return root;
}

function plain(value: OptionValue): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  return Array.isArray(value) ? value.join(',') : value;
}

interface Recognised {
  readonly option: OptionDefinition;
  /** As the user wrote it. */
  readonly where: string;
  /** From --flag=value. */
  readonly attached: string | undefined;
}

function recognise(table: readonly OptionDefinition[], argument: string): Recognised {
  if (!argument.startsWith('-') || argument === '-' || argument === '--') {
    throw new UsageError(`'${argument}' is not an option: options begin with --.`);
  }
  const long = argument.startsWith('--');
  const body = argument.slice(long ? 2 : 1);
  const equals = body.indexOf('=');
  const name = equals < 0 ? body : body.slice(0, equals);
  const attached = equals < 0 ? undefined : body.slice(equals + 1);
  // mongod takes -port as well as --port, and -f as the short form.
  const flags = table.filter((each) => each.fileOnly !== true);
  const option =
    (long ? undefined : flags.find((each) => each.short === name)) ??
    flags.find((each) => each.flag === name);
  if (option === undefined) throw unknownOption(flags, name, argument);
  return { option, where: `${long ? '--' : '-'}${name}`, attached };
}

function unknownOption(
  table: readonly OptionDefinition[],
  name: string,
  argument: string,
): UsageError {
  const lower = name.toLowerCase();
  const near = table.find(
    (each) =>
      each.refused === undefined &&
      (each.flag.toLowerCase() === lower || distanceIsSmall(each.flag.toLowerCase(), lower)),
  );
  const hint = near === undefined ? '' : ` Did you mean --${near.flag}?`;
  return new UsageError(`There is no option ${argument.split('=')[0] ?? argument}.${hint}`);
}

function refuseUnsupported(option: OptionDefinition, where: string): void {
  if (option.refused !== undefined) throw new UsageError(`${where}: ${option.refused}`);
}

function put(
  given: Map<string, OptionValue>,
  option: OptionDefinition,
  value: OptionValue,
  where: string,
): void {
  const before = given.get(option.flag);
  if (before === undefined) given.set(option.flag, value);
  else if (before instanceof Map && value instanceof Map) {
    given.set(option.flag, new Map([...before, ...value]));
  } else throw new UsageError(`${where} is given twice.`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether at most two letters differ (Levenshtein). */
function distanceIsSmall(one: string, other: string): boolean {
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + same,
        ),
      );
    }
    previous = current;
  }
  return (previous[other.length] ?? 0) <= 2;
}
