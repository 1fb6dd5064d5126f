/**
 * Who a client says that it is: from the connection string's user info, or from options.
 */
import type { Document } from 'bson';
import { MongoMissingCredentialsError, MongoParseError } from '../errors/driver-errors.ts';
import type { ConnectionString } from './connection-string.ts';

/** Names of MongoDB's authentication mechanisms. Those that this SDK speaks: DEFAULT, SCRAM-SHA-256 and SCRAM-SHA-1. */
export const AuthMechanism = {
  MONGODB_AWS: 'MONGODB-AWS',
  MONGODB_DEFAULT: 'DEFAULT',
  MONGODB_GSSAPI: 'GSSAPI',
  MONGODB_PLAIN: 'PLAIN',
  MONGODB_SCRAM_SHA1: 'SCRAM-SHA-1',
  MONGODB_SCRAM_SHA256: 'SCRAM-SHA-256',
  MONGODB_X509: 'MONGODB-X509',
  MONGODB_OIDC: 'MONGODB-OIDC',
} as const;
export type AuthMechanism = (typeof AuthMechanism)[keyof typeof AuthMechanism];

export type SpokenMechanism = 'DEFAULT' | 'SCRAM-SHA-1' | 'SCRAM-SHA-256';

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** The database that knows the user. */
  readonly source: string;
  readonly mechanism: SpokenMechanism;
}

/** @throws MongoParseError, MongoMissingCredentialsError */
export function credentialsFrom(
  connection: ConnectionString,
  all: Document,
): Credentials | undefined {
  const username: string | undefined = all['auth']?.username ?? connection.username;
  const password: string | undefined = all['auth']?.password ?? connection.password;
  const named: string | undefined = all['authMechanism'];
  if (named !== undefined && !Object.values<string>(AuthMechanism).includes(named)) {
    throw new MongoParseError(
      `authMechanism one of ${Object.values(AuthMechanism).join(',')}, got ${named}`,
    );
  }
  if (username === undefined) {
    if (named === undefined) return undefined;
    throw new MongoMissingCredentialsError(`Username required for mechanism '${named}'`);
  }
  const mechanism = named ?? 'DEFAULT';
  if (!isSpoken(mechanism)) {
    throw new MongoParseError(
      `authMechanism ${mechanism} is not supported: FlintDB's client speaks SCRAM-SHA-256 and SCRAM-SHA-1`,
    );
  }
  if (password === undefined) {
    throw new MongoMissingCredentialsError(`Password required for mechanism '${mechanism}'`);
  }
  const source: string =
    all['authSource'] ?? (connection.database === '' ? 'admin' : connection.database);
  return { username, password, source, mechanism };
}

function isSpoken(mechanism: string): mechanism is SpokenMechanism {
  return mechanism === 'DEFAULT' || mechanism === 'SCRAM-SHA-1' || mechanism === 'SCRAM-SHA-256';
}
