/**
 * Connection strings: mongodb://user:password@host:port,host/database?option=value, mongodb+srv:// and, for the HTTP
 * transport, http:// and https://.
 *
 * Splits and decodes only; what an option means is parse-options.ts's. Messages are those of the official driver.
 * Source: MongoDB's manual, "Connection Strings"; driver specification "Connection String".
 */
import { MongoInvalidArgumentError, MongoParseError } from '../errors/driver-errors.ts';

export type Scheme = 'mongodb' | 'mongodb+srv' | 'http' | 'https';

/** Where a server listens: host and port, or a Unix domain socket. */
export class HostAddress {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly socketPath: string | undefined;
  readonly isIPv6: boolean;

  /** @param text `host`, `host:port`, `[::1]:port`, or a path that ends in .sock. */
  constructor(text: string) {
    const decoded = decodeURIComponent(text);
    this.isIPv6 = false;
    if (decoded.endsWith('.sock')) {
      this.socketPath = decoded;
      return;
    }
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d*))?$/.exec(decoded);
    if (match === null) throw new MongoParseError(`Invalid connection string "${text}"`);
    const [, ipv6, name, port] = match;
    this.isIPv6 = ipv6 !== undefined;
    this.host = (ipv6 ?? name ?? '').toLowerCase();
    this.port = portOf(port, text);
  }

  static fromString(text: string): HostAddress {
    return new HostAddress(text);
  }

  static fromHostPort(host: string, port: number): HostAddress {
    return new HostAddress(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
  }

  toString(): string {
    if (this.socketPath !== undefined) return this.socketPath;
    return this.isIPv6 ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  inspect(): string {
    return `new HostAddress('${this.toString()}')`;
  }
}

const DEFAULT_PORT = 27_017;

function portOf(text: string | undefined, whole: string): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = Number(text);
  if (text === '' || port > 65_535) {
    throw new MongoParseError(`Unable to parse ${whole} with URL`);
  }
  if (port === 0) throw new MongoParseError('Invalid port (zero) with hostname');
  return port;
}

export interface ConnectionString {
  readonly scheme: Scheme;
  /** As written: not resolved by DNS. */
  readonly hosts: readonly HostAddress[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The path: the default database, and where users are looked up. Empty: none. */
  readonly database: string;
  /** In order, names as written, values decoded. */
  readonly options: readonly (readonly [name: string, value: string])[];
}

const FORM = /^([a-z+]+):\/\/(?:([^/?@]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s;

/** @throws MongoParseError */
export function parseConnectionString(uri: string): ConnectionString {
  const scheme = schemeOf(uri);
  const match = FORM.exec(uri);
  if (match === null) throw new MongoParseError(`Invalid connection string "${uri}"`);
  const [, , userInfo, hostList = '', path = '', query = ''] = match;
  if (hostList === '') {
    throw new MongoParseError('Protocol and host list are required in the uri');
  }
  return {
    scheme,
    hosts: hostsOf(scheme, hostList),
    ...credentialsOf(userInfo),
    database: decode(path),
    options: optionsOf(query),
  };
}

function schemeOf(uri: string): Scheme {
  const scheme = /^([a-z+]+):\/\//.exec(uri)?.[1];
  switch (scheme) {
    case 'mongodb':
    case 'mongodb+srv':
    case 'http':
    case 'https':
      return scheme;
    default:
      throw new MongoParseError(
        'Invalid scheme, expected connection string to start with "mongodb://" or "mongodb+srv://"',
      );
  }
}

function hostsOf(scheme: Scheme, list: string): HostAddress[] {
  const texts = list.split(',');
  if (scheme === 'mongodb+srv') {
    if (texts.length !== 1) {
      throw new MongoParseError('mongodb+srv URI cannot have multiple service names');
    }
    if (list.includes(':')) throw new MongoParseError('mongodb+srv URI cannot have port number');
  }
  if (scheme === 'http' || scheme === 'https') {
    if (texts.length !== 1) throw new MongoParseError('An HTTP address names exactly one host');
    const hasPort = /:\d+$/.test(list);
    return [new HostAddress(hasPort ? list : `${list}:${scheme === 'https' ? 443 : 80}`)];
  }
  return texts.map((text) => {
    if (text === '') throw new MongoParseError(`Invalid connection string "${list}"`);
    return new HostAddress(text);
  });
}

function credentialsOf(
  userInfo: string | undefined,
): Pick<ConnectionString, 'username' | 'password'> {
  if (userInfo === undefined) return { username: undefined, password: undefined };
  const colon = userInfo.indexOf(':');
  const name = colon === -1 ? userInfo : userInfo.slice(0, colon);
  const secret = colon === -1 ? undefined : userInfo.slice(colon + 1);
  if (name === '') throw new MongoParseError('URI contained empty userinfo section');
  if (/[:/?#[\]@]/.test(name) || /%(?![\da-fA-F]{2})/.test(name)) {
    throw new MongoParseError(`Username contains unescaped characters ${name}`);
  }
  if (secret !== undefined && (/[:/?#[\]@]/.test(secret) || /%(?![\da-fA-F]{2})/.test(secret))) {
    throw new MongoParseError('Password contains unescaped characters');
  }
  return {
    username: decode(name),
    password: secret === undefined ? undefined : decode(secret),
  };
}

function optionsOf(query: string): [string, string][] {
  if (query === '') return [];
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const name = decode(equals === -1 ? part : part.slice(0, equals));
      const value = equals === -1 ? '' : decode(part.slice(equals + 1).replaceAll('+', ' '));
      // An empty set of tags is any server's: the last resort of a list of them.
      if (value === '' && name.toLowerCase() !== 'readpreferencetags') {
        throw new MongoInvalidArgumentError(
          `URI option "${name}" cannot be specified with no value`,
        );
      }
      return [name, value];
    });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new MongoParseError('URI malformed');
  }
}
