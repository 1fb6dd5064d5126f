/**
 * What an option is: its flag, its place in a YAML file, its type, and what its help says. Every program has one table.
 */

export type OptionType = 'switch' | 'string' | 'integer' | 'number' | 'list' | 'pairs';

export interface OptionDefinition {
  /** Long flag without dashes, as mongod spells it. */
  readonly flag: string;
  /** One letter. */
  readonly short?: string;
  /** Dotted place in the configuration file; undefined for what only the command line has. */
  readonly yaml?: string;
  /** switch: no value. list: comma separated, or a YAML list. pairs: name=value, may be repeated, or a YAML map. */
  readonly type: OptionType;
  /** Heading in --help. */
  readonly group: string;
  /** One line for --help; the default included. */
  readonly help: string;
  /** How --help names the value. */
  readonly value?: string;
  readonly range?: readonly [least: number, most: number];
  /** Only in the configuration file, as in mongod: no flag, and not in --help. */
  readonly fileOnly?: boolean;
  /** Known, but not built: using it is refused with this sentence. Left out of --help. */
  readonly refused?: string;
}

export type OptionValue =
  boolean | string | number | readonly string[] | ReadonlyMap<string, string>;

/** Options as given, by flag. */
export type GivenOptions = ReadonlyMap<string, OptionValue>;

/** Wrong use of a program: a sentence for a person, exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Reads one value. @param where how the user named the option: '--port', 'net.port'. */
export function parseValue(option: OptionDefinition, given: unknown, where: string): OptionValue {
  switch (option.type) {
    case 'switch':
      return toSwitch(given, where);
    case 'integer':
    case 'number':
      return toNumber(option, given, where);
    case 'string':
      if (typeof given === 'string' || typeof given === 'number') return String(given);
      throw new UsageError(`${where} needs a text as its value.`);
    case 'list':
      return toList(given, where);
    case 'pairs':
      return toPairs(given, where);
  }
}

function toSwitch(given: unknown, where: string): boolean {
  if (typeof given === 'boolean') return given;
  if (given === 'true' || given === 'false') return given === 'true';
  throw new UsageError(`${where} is on or off: its value must be true or false.`);
}

function toNumber(option: OptionDefinition, given: unknown, where: string): number {
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new UsageError(`${where} needs a number as its value, not '${String(given)}'.`);
  }
  if (option.type === 'integer' && !Number.isInteger(number)) {
    throw new UsageError(`${where} needs a whole number as its value, not '${String(given)}'.`);
  }
  const [least, most] = option.range ?? [-Infinity, Infinity];
  if (number < least || number > most) {
    throw new UsageError(`${where} must be between ${least} and ${most}, not ${number}.`);
  }
  return number;
}

function toList(given: unknown, where: string): readonly string[] {
  const items: unknown[] = Array.isArray(given) ? given : String(given).split(',');
  return items.map((item) => {
    const text = String(item).trim();
    if (text === '') throw new UsageError(`${where} has an empty entry.`);
    return text;
  });
}

function toPairs(given: unknown, where: string): ReadonlyMap<string, string> {
  if (typeof given === 'string') {
    const separator = given.indexOf('=');
    if (separator <= 0) throw new UsageError(`${where} needs the form name=value.`);
    return new Map([[given.slice(0, separator).trim(), given.slice(separator + 1).trim()]]);
  }
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    return new Map(Object.entries(given).map(([name, value]) => [name, String(value)]));
  }
  throw new UsageError(`${where} needs names with values.`);
}
