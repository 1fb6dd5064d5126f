/**
 * The options of a client as code gives them. What they mean: option-table.ts, and MongoDB's manual of the drivers.
 */
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import type { Document } from 'bson';
import type { ReadConcernLevel, ReadConcernLike } from '../concerns/read-concern.ts';
import type { ReadPreference, ReadPreferenceMode, TagSet } from '../concerns/read-preference.ts';
import type { W, WriteConcern, WriteConcernSettings } from '../concerns/write-concern.ts';
import type { BSONSerializeOptions } from '../documents/bson-options.ts';
import type { AuthMechanism } from './credentials.ts';
import type { PkFactory, ServerApi } from './parse-options.ts';

type PassedToTls = Pick<
  TlsConnectionOptions,
  | 'ALPNProtocols'
  | 'ca'
  | 'cert'
  | 'checkServerIdentity'
  | 'ciphers'
  | 'crl'
  | 'ecdhCurve'
  | 'key'
  | 'maxVersion'
  | 'minDHSize'
  | 'minVersion'
  | 'passphrase'
  | 'pfx'
  | 'rejectUnauthorized'
  | 'secureContext'
  | 'secureProtocol'
  | 'servername'
  | 'session'
>;

export interface MongoClientOptions extends BSONSerializeOptions, PassedToTls {
  appName?: string;
  auth?: { username?: string; password?: string };
  authMechanism?: AuthMechanism;
  authMechanismProperties?: Document;
  authSource?: string;
  compressors?: ('none' | 'snappy' | 'zlib' | 'zstd')[] | string;
  connectTimeoutMS?: number;
  dbName?: string;
  directConnection?: boolean;
  driverInfo?: { name?: string; version?: string; platform?: string };
  forceServerObjectId?: boolean;
  heartbeatFrequencyMS?: number;
  journal?: boolean;
  localThresholdMS?: number;
  maxConnecting?: number;
  maxIdleTimeMS?: number;
  maxPoolSize?: number;
  maxStalenessSeconds?: number;
  minHeartbeatFrequencyMS?: number;
  minPoolSize?: number;
  monitorCommands?: boolean;
  noDelay?: boolean;
  pkFactory?: PkFactory;
  readConcern?: ReadConcernLike;
  readConcernLevel?: ReadConcernLevel;
  readPreference?: ReadPreferenceMode | ReadPreference;
  readPreferenceTags?: TagSet[];
  replicaSet?: string;
  retryReads?: boolean;
  retryWrites?: boolean;
  serverApi?: ServerApi | string;
  serverMonitoringMode?: 'auto' | 'poll' | 'stream';
  serverSelectionTimeoutMS?: number;
  socketTimeoutMS?: number;
  srvMaxHosts?: number;
  srvServiceName?: string;
  ssl?: boolean;
  timeoutMS?: number;
  tls?: boolean;
  tlsAllowInvalidCertificates?: boolean;
  tlsAllowInvalidHostnames?: boolean;
  tlsCAFile?: string;
  tlsCRLFile?: string;
  tlsCertificateKeyFile?: string;
  tlsCertificateKeyFilePassword?: string;
  tlsInsecure?: boolean;
  w?: W;
  waitQueueTimeoutMS?: number;
  writeConcern?: WriteConcern | WriteConcernSettings;
  wtimeoutMS?: number;
}
