/**
 * The options of a client, from its connection string and from code, checked and with their defaults. Code wins.
 *
 * Messages are those of the official driver, so that a wrong option is reported as people know it.
 * Source: driver specification "URI Options".
 */
import { ObjectId, type Document } from 'bson';
import { ReadConcern } from '../concerns/read-concern.ts';
import { ReadPreference } from '../concerns/read-preference.ts';
import { WriteConcern } from '../concerns/write-concern.ts';
import { resolveBsonOptions, type BSONSerializeOptions } from '../documents/bson-options.ts';
import { MongoInvalidArgumentError, MongoParseError } from '../errors/driver-errors.ts';
import {
  parseConnectionString,
  type ConnectionString,
  type HostAddress,
  type Scheme,
} from './connection-string.ts';
import { credentialsFrom, type Credentials } from './credentials.ts';
import { ALIASES, OPTIONS, REFUSED, type OptionLine } from './option-table.ts';

/** A maker of ids, for who wants others than ObjectIds. */
export interface PkFactory {
  createPk(): unknown;
}

export interface ServerApi {
  version: string;
  strict?: boolean;
  deprecationErrors?: boolean;
}

/** Parsed: what the client and its transport work with. Options without a field of their own stand under their names. */
export interface ClientSettings {
  readonly uri: string;
  readonly scheme: Scheme;
  readonly hosts: readonly HostAddress[];
  /** mongodb+srv: the name whose records list the hosts. */
  readonly srvHost: string | undefined;
  readonly dbName: string;
  readonly credentials: Credentials | undefined;
  readonly readConcern: ReadConcern | undefined;
  readonly writeConcern: WriteConcern | undefined;
  readonly readPreference: ReadPreference;
  readonly serverApi: ServerApi | undefined;
  readonly bson: BSONSerializeOptions;
  readonly pkFactory: PkFactory;
  readonly retryReads: boolean;
  readonly retryWrites: boolean;
  readonly timeoutMS: number | undefined;
  readonly monitorCommands: boolean;
  readonly forceServerObjectId: boolean;
  /** Every option that was given or has a default, by its name. */
  readonly all: Readonly<Document>;
}

const BY_LOWER_NAME: ReadonlyMap<string, OptionLine> = new Map(
  OPTIONS.map((line) => [line.name.toLowerCase(), line]),
);

const DEFAULT_PK_FACTORY: PkFactory = { createPk: () => new ObjectId() };

/** @throws MongoParseError, MongoInvalidArgumentError */
export function parseClientOptions(uri: string, given: Document = {}): ClientSettings {
  const connection = parseConnectionString(uri);
  const fromUri = uriOptions(connection.options);
  const fromCode = codeOptions(given);
  checkTogether(connection, fromUri, fromCode);
  const all: Document = { ...defaults(connection), ...fromUri, ...fromCode };
  checkDeployment(connection, all);
  return {
    uri,
    scheme: connection.scheme,
    hosts: connection.hosts,
    srvHost: connection.scheme === 'mongodb+srv' ? connection.hosts[0]?.host : undefined,
    dbName: all['dbName'] ?? (connection.database === '' ? 'test' : connection.database),
    credentials: credentialsFrom(connection, all),
    readConcern: readConcernOf(all),
    writeConcern: writeConcernOf(all),
    readPreference: readPreferenceOf(all),
    serverApi: serverApiOf(all['serverApi']),
    bson: resolveBsonOptions(all),
    pkFactory: pkFactoryOf(all['pkFactory']),
    retryReads: all['retryReads'],
    retryWrites: all['retryWrites'],
    timeoutMS: all['timeoutMS'],
    monitorCommands: all['monitorCommands'],
    forceServerObjectId: all['forceServerObjectId'],
    all,
  };
}

function defaults({ scheme }: ConnectionString): Document {
  const values = OPTIONS.filter((line) => line.default !== undefined).map((line) => [
    line.name,
    line.default,
  ]);
  return { ...Object.fromEntries(values), ...(scheme === 'mongodb+srv' ? { tls: true } : {}) };
}

function lineOf(name: string): OptionLine | undefined {
  const lower = name.toLowerCase();
  return BY_LOWER_NAME.get(ALIASES.get(lower)?.toLowerCase() ?? lower);
}

function refuseUnknown(names: readonly string[]): void {
  for (const name of names) {
    const what = REFUSED.get(name.toLowerCase());
    if (what !== undefined) {
      throw new MongoParseError(
        `option ${name.toLowerCase()} is not supported: FlintDB's client has no ${what}`,
      );
    }
  }
  const unknown = names
    .filter((name) => lineOf(name) === undefined)
    .map((name) => name.toLowerCase());
  if (unknown.length === 0) return;
  const [word, verb] = unknown.length > 1 ? ['options', 'are'] : ['option', 'is'];
  throw new MongoParseError(`${word} ${unknown.join(', ')} ${verb} not supported`);
}

/** The driver takes loadBalanced=false for what it is. */
function isSwitchedOff(name: string, value: unknown): boolean {
  return name.toLowerCase() === 'loadbalanced' && (value === false || value === 'false');
}

function uriOptions(pairs: ConnectionString['options']): Document {
  const known = pairs.filter(([name, value]) => !isSwitchedOff(name, value));
  refuseUnknown(known.map(([name]) => name));
  const options: Document = {};
  for (const [name, value] of known) {
    const line = lineOf(name);
    if (line === undefined) continue;
    if (line.type.kind === 'object') {
      throw new MongoParseError(
        `URI cannot contain \`${line.name}\`, it can only be passed to the client`,
      );
    }
    const parsed = valueFromText(line, value);
    if (line.repeats === true) options[line.name] = [...(options[line.name] ?? []), parsed];
    else if (!Object.hasOwn(options, line.name)) options[line.name] = parsed;
    else if (line.name === 'tls') {
      if (options['tls'] !== parsed)
        throw new MongoParseError('All values of tls/ssl must be the same.');
    } else {
      throw new MongoInvalidArgumentError(
        `URI option "${name}" cannot appear more than once in the connection string`,
      );
    }
  }
  return options;
}

function valueFromText(line: OptionLine, value: string): unknown {
  const { type, name } = line;
  switch (type.kind) {
    case 'boolean':
      if (value === 'true') return true;
      if (value === 'false') return false;
      throw new MongoParseError(`${name} must be either "true" or "false"`);
    case 'integer':
      return integer(name, Number(value), type.least, value);
    case 'list':
      return value.split(',').filter((part) => part !== '');
    case 'pairs':
      return pairsFromText(name, value);
    case 'text':
    case 'object':
      return value;
  }
}

function integer(name: string, value: number, least: number, shown: unknown): number {
  if (!Number.isInteger(value)) {
    throw new MongoParseError(
      `Expected ${name} to be stringified int value, got: ${String(shown)}`,
    );
  }
  if (value < least) {
    throw new MongoParseError(`${name} can only be a positive int value, got: ${String(shown)}`);
  }
  return value;
}

function pairsFromText(name: string, value: string): Record<string, unknown> {
  const pairs = value.split(',').filter((part) => part !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const colon = pair.indexOf(':');
      const key = colon === -1 ? pair : pair.slice(0, colon);
      const text = colon === -1 ? undefined : pair.slice(colon + 1);
      if (text === undefined) {
        throw new MongoParseError('Cannot have undefined values in key value pairs');
      }
      // Tags stay text; properties of an authentication mechanism may be switches.
      const isSwitch = name !== 'readPreferenceTags' && (text === 'true' || text === 'false');
      return [key, isSwitch ? text === 'true' : text];
    }),
  );
}

function codeOptions(given: Document): Document {
  const entries = Object.entries(given).filter(
    ([name, value]) => value !== undefined && value !== null && !isSwitchedOff(name, value),
  );
  refuseUnknown(entries.map(([name]) => name));
  const options: Document = {};
  for (const [name, value] of entries) {
    const line = lineOf(name);
    if (line !== undefined) options[line.name] = checkedValue(line, value);
  }
  return options;
}

function checkedValue(line: OptionLine, value: unknown): unknown {
  const { type, name } = line;
  if (typeof value === 'string' && type.kind !== 'object') return valueFromText(line, value);
  if (type.kind === 'integer') return integer(name, Number(value), type.least, value);
  if (type.kind === 'boolean' && typeof value !== 'boolean') {
    throw new MongoParseError(`${name} must be either "true" or "false"`);
  }
  return value;
}

function checkTogether(connection: ConnectionString, fromUri: Document, fromCode: Document): void {
  const { tlsInsecure, tlsAllowInvalidCertificates, tlsAllowInvalidHostnames } = {
    ...fromUri,
    ...fromCode,
  };
  if (tlsInsecure !== undefined) {
    const other =
      tlsAllowInvalidCertificates === undefined
        ? tlsAllowInvalidHostnames === undefined
          ? undefined
          : 'tlsAllowInvalidHostnames'
        : 'tlsAllowInvalidCertificates';
    if (other !== undefined) {
      throw new MongoParseError(
        `The 'tlsInsecure' option cannot be used with the '${other}' option`,
      );
    }
  }
  const srvOnly = ['srvMaxHosts', 'srvServiceName'].filter(
    (name) => fromUri[name] !== undefined || fromCode[name] !== undefined,
  );
  if (srvOnly.length > 0 && connection.scheme !== 'mongodb+srv') {
    throw new MongoParseError(`Cannot use ${srvOnly.join(', ')} with a non-srv connection string`);
  }
}

function checkDeployment({ scheme, hosts }: ConnectionString, all: Document): void {
  if (all['directConnection'] === true && (hosts.length !== 1 || scheme === 'mongodb+srv')) {
    throw new MongoParseError('directConnection option requires exactly one host');
  }
  if (all['srvMaxHosts'] > 0 && typeof all['replicaSet'] === 'string') {
    throw new MongoParseError('Cannot use srvMaxHosts option with replicaSet');
  }
  const mode: unknown = all['serverMonitoringMode'];
  if (mode !== 'auto' && mode !== 'poll' && mode !== 'stream') {
    throw new MongoParseError('serverMonitoringMode must be one of `auto`, `poll`, or `stream`');
  }
  checkCompressors(all['compressors']);
}

const COMPRESSORS = ['none', 'snappy', 'zlib', 'zstd'];

function checkCompressors(names: unknown): void {
  if (names === undefined) return;
  if (!Array.isArray(names)) {
    throw new MongoInvalidArgumentError(
      'compressors must be an array or a comma-delimited list of strings',
    );
  }
  const wrong = names.find((name) => !COMPRESSORS.includes(name));
  if (wrong !== undefined) {
    throw new MongoInvalidArgumentError(
      `${String(wrong)} is not a valid compression mechanism. Must be one of: ${COMPRESSORS.join(',')}.`,
    );
  }
}

function readConcernOf(all: Document): ReadConcern | undefined {
  return ReadConcern.fromOptions({
    readConcern: all['readConcern'],
    level: all['readConcernLevel'],
  });
}

function writeConcernOf(all: Document): WriteConcern | undefined {
  return WriteConcern.fromOptions(
    picked(all, ['w', 'wtimeoutMS', 'journal']),
    WriteConcern.fromOptions(all['writeConcern']),
  );
}

function picked(all: Document, names: readonly string[]): Document {
  return Object.fromEntries(
    names.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]),
  );
}

function readPreferenceOf(all: Document): ReadPreference {
  const given: unknown = all['readPreference'];
  if (given instanceof ReadPreference) return given;
  const staleness: number | undefined =
    all['maxStalenessSeconds'] === -1 ? undefined : all['maxStalenessSeconds'];
  const options = staleness === undefined ? {} : { maxStalenessSeconds: staleness };
  if (given !== undefined && typeof given !== 'string') {
    return (
      ReadPreference.fromOptions({ readPreference: given, ...options }) ?? ReadPreference.primary
    );
  }
  const mode = given ?? 'primary';
  if (!ReadPreference.isValid(mode)) {
    throw new MongoParseError(`Unknown ReadPreference value: ${mode}`);
  }
  return new ReadPreference(mode, all['readPreferenceTags'], options);
}

function serverApiOf(given: unknown): ServerApi | undefined {
  if (given === undefined) return undefined;
  const api: ServerApi | undefined =
    typeof given === 'string' ? { version: given } : isServerApi(given) ? given : undefined;
  if (api === undefined) {
    throw new MongoParseError(
      'Invalid `serverApi` property; must specify a version from the following enum: ["1"]',
    );
  }
  if (api.version !== '1') {
    throw new MongoParseError(
      `Invalid server API version=${api.version}; must be in the following enum: ["1"]`,
    );
  }
  return api;
}

function isServerApi(value: unknown): value is ServerApi {
  return typeof value === 'object' && value !== null && 'version' in value;
}

function pkFactoryOf(given: unknown): PkFactory {
  if (given === undefined) return DEFAULT_PK_FACTORY;
  if (isPkFactory(given)) return given;
  throw new MongoParseError(
    `Option pkFactory must be an object with a createPk function, got ${JSON.stringify(given)}`,
  );
}

function isPkFactory(value: unknown): value is PkFactory {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'createPk') === 'function'
  );
}
