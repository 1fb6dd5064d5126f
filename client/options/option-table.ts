/**
 * The options of a client, one line each: how a connection string writes them, what their values may be, their defaults.
 */

export type OptionKind =
  /** "true" or "false". */
  | { readonly kind: 'boolean' }
  /** An integer of at least `least`. */
  | { readonly kind: 'integer'; readonly least: number }
  | { readonly kind: 'text' }
  /** "a,b". */
  | { readonly kind: 'list' }
  /** "name:value,name:value"; an option that repeats gathers several. */
  | { readonly kind: 'pairs' }
  /** Only code can give it: an object or a function. */
  | { readonly kind: 'object' };

export interface OptionLine {
  readonly name: string;
  readonly type: OptionKind;
  readonly default?: unknown;
  /** May stand several times in a connection string. */
  readonly repeats?: true;
}

const boolean = { kind: 'boolean' } as const;
const text = { kind: 'text' } as const;
const list = { kind: 'list' } as const;
const object = { kind: 'object' } as const;
const count = { kind: 'integer', least: 0 } as const;

/** Options of Node's tls module, which are passed on to it as they are. */
export const NODE_TLS_OPTIONS = [
  'ALPNProtocols',
  'ca',
  'cert',
  'checkServerIdentity',
  'ciphers',
  'crl',
  'ecdhCurve',
  'key',
  'maxVersion',
  'minDHSize',
  'minVersion',
  'passphrase',
  'pfx',
  'rejectUnauthorized',
  'secureContext',
  'secureProtocol',
  'servername',
  'session',
] as const;

export const OPTIONS: readonly OptionLine[] = [
  { name: 'appName', type: text },
  { name: 'auth', type: object },
  { name: 'authMechanism', type: text },
  { name: 'authMechanismProperties', type: { kind: 'pairs' } },
  { name: 'authSource', type: text },
  { name: 'autoSelectFamily', type: boolean },
  { name: 'autoSelectFamilyAttemptTimeout', type: count },
  { name: 'bsonRegExp', type: boolean },
  { name: 'checkKeys', type: boolean },
  { name: 'compressors', type: list },
  { name: 'connectTimeoutMS', type: count, default: 30_000 },
  { name: 'dbName', type: text },
  { name: 'directConnection', type: boolean, default: false },
  { name: 'driverInfo', type: object },
  { name: 'enableUtf8Validation', type: boolean, default: true },
  { name: 'family', type: count },
  { name: 'fieldsAsRaw', type: object },
  { name: 'forceServerObjectId', type: boolean, default: false },
  { name: 'heartbeatFrequencyMS', type: { kind: 'integer', least: 1 }, default: 10_000 },
  { name: 'ignoreUndefined', type: boolean },
  { name: 'journal', type: boolean },
  { name: 'localThresholdMS', type: count, default: 15 },
  { name: 'maxConnecting', type: { kind: 'integer', least: 1 }, default: 2 },
  { name: 'maxIdleTimeMS', type: count, default: 0 },
  { name: 'maxPoolSize', type: count, default: 100 },
  { name: 'maxStalenessSeconds', type: { kind: 'integer', least: -1 } },
  { name: 'minHeartbeatFrequencyMS', type: { kind: 'integer', least: 1 }, default: 500 },
  { name: 'minPoolSize', type: count, default: 0 },
  { name: 'monitorCommands', type: boolean, default: false },
  { name: 'noDelay', type: boolean, default: true },
  { name: 'pkFactory', type: object },
  { name: 'promoteBuffers', type: boolean },
  { name: 'promoteLongs', type: boolean },
  { name: 'promoteValues', type: boolean },
  { name: 'raw', type: boolean },
  { name: 'readConcern', type: object },
  { name: 'readConcernLevel', type: text },
  { name: 'readPreference', type: text },
  { name: 'readPreferenceTags', type: { kind: 'pairs' }, repeats: true },
  { name: 'replicaSet', type: text },
  { name: 'retryReads', type: boolean, default: true },
  { name: 'retryWrites', type: boolean, default: true },
  { name: 'serializeFunctions', type: boolean },
  { name: 'serverApi', type: object },
  { name: 'serverMonitoringMode', type: text, default: 'auto' },
  { name: 'serverSelectionTimeoutMS', type: count, default: 30_000 },
  { name: 'socketTimeoutMS', type: count, default: 0 },
  { name: 'srvMaxHosts', type: count },
  { name: 'srvServiceName', type: text },
  { name: 'timeoutMS', type: count },
  { name: 'tls', type: boolean },
  { name: 'tlsAllowInvalidCertificates', type: boolean },
  { name: 'tlsAllowInvalidHostnames', type: boolean },
  { name: 'tlsCAFile', type: text },
  { name: 'tlsCRLFile', type: text },
  { name: 'tlsCertificateKeyFile', type: text },
  { name: 'tlsCertificateKeyFilePassword', type: text },
  { name: 'tlsInsecure', type: boolean },
  { name: 'useBigInt64', type: boolean },
  { name: 'w', type: text },
  { name: 'waitQueueTimeoutMS', type: count, default: 0 },
  { name: 'writeConcern', type: object },
  { name: 'wtimeoutMS', type: count },
  // Node's own options of TLS, passed on.
  ...NODE_TLS_OPTIONS.map((name) => ({ name, type: object })),
];

/** Other names of options, lower case. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['ssl', 'tls'],
  ['j', 'journal'],
  ['wtimeout', 'wtimeoutMS'],
]);

/** What the official driver has and this SDK has not: refused by name, never ignored. */
export const REFUSED: ReadonlyMap<string, string> = new Map(
  [
    ['autoEncryption', 'client-side field level encryption'],
    ['loadBalanced', 'load balancers'],
    ['proxyHost', 'SOCKS5 proxies'],
    ['proxyPort', 'SOCKS5 proxies'],
    ['proxyUsername', 'SOCKS5 proxies'],
    ['proxyPassword', 'SOCKS5 proxies'],
    ['zlibCompressionLevel', 'levels of compression'],
    ['mongodbLogPath', 'logging; listen to the events of the client instead'],
    ['mongodbLogComponentSeverities', 'logging; listen to the events of the client instead'],
    ['mongodbLogMaxDocumentLength', 'logging; listen to the events of the client instead'],
    ['srvAllowedHostsSuffix', 'other host suffixes of SRV records'],
    ['srvHostValidator', 'other host suffixes of SRV records'],
  ].map(([name = '', what = '']) => [name.toLowerCase(), what]),
);
