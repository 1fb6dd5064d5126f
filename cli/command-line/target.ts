/**
 * Which server, database and collection a subcommand works on: the options that mongoimport and mongoexport have for it.
 */
import { UsageError, type GivenOptions, type OptionDefinition } from '../../server/index.ts';

const GROUP = 'Connection';
const DEFAULT_URI = 'mongodb://localhost:27017/';
const IN_THE_URI =
  'say it in the connection string, such as mongodb://name:password@host/?authSource=admin&tls=true.';

export const TARGET_OPTIONS: readonly OptionDefinition[] = [
  {
    flag: 'uri',
    type: 'string',
    value: '<connection string>',
    group: GROUP,
    help: `The server; may also be given without the flag. Default ${DEFAULT_URI}`,
  },
  {
    flag: 'db',
    short: 'd',
    type: 'string',
    value: '<name>',
    group: GROUP,
    help: "The database. Default that of the connection string, else 'test'.",
  },
  {
    flag: 'collection',
    short: 'c',
    type: 'string',
    value: '<name>',
    group: GROUP,
    help: 'The collection.',
  },
  ...[
    'host',
    'port',
    'username',
    'password',
    'authenticationDatabase',
    'authenticationMechanism',
    'ssl',
    'tls',
  ].map((flag): OptionDefinition => ({
    flag,
    type: 'string',
    group: GROUP,
    help: '',
    refused: IN_THE_URI,
  })),
];

export interface Target {
  readonly uri: string;
  readonly database: string;
  /** undefined: not given. */
  readonly collection: string | undefined;
}

/** @param positional the connection string, if it was given without a flag. @throws UsageError */
export function targetOf(given: GivenOptions, positional: string | undefined): Target {
  const flag = textOf(given, 'uri');
  if (flag !== undefined && positional !== undefined && flag !== positional) {
    throw new UsageError('the connection string is given twice: with --uri and without.');
  }
  const uri = flag ?? positional ?? DEFAULT_URI;
  if (!isConnectionString(uri)) {
    throw new UsageError(
      `'${uri}' is no connection string: those begin with mongodb:// or mongodb+srv://.`,
    );
  }
  const database = textOf(given, 'db') ?? databaseOf(uri) ?? 'test';
  const collection = textOf(given, 'collection');
  checkName('--db', database, /[/\\. "\0$]/);
  if (collection !== undefined) checkName('--collection', collection, /[\0$]/);
  return { uri, database, collection };
}

export function isConnectionString(text: string): boolean {
  return /^mongodb(\+srv)?:\/\//.test(text);
}

export function textOf(given: GivenOptions, flag: string): string | undefined {
  const value = given.get(flag);
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(given: GivenOptions, flag: string): number | undefined {
  const value = given.get(flag);
  return typeof value === 'number' ? value : undefined;
}

function databaseOf(uri: string): string | undefined {
  const name = /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/.exec(uri)?.[1];
  return name === undefined ? undefined : decodeURIComponent(name);
}

function checkName(option: string, name: string, forbidden: RegExp): void {
  if (name === '' || forbidden.test(name)) {
    throw new UsageError(`${option}: '${name}' is no name that it can have.`);
  }
}
