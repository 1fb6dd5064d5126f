/**
 * flintd's options: the table, and the options as the server uses them.
 *
 * Flags and YAML keys are mongod's where mongod has the thing; what is ours (--httpPort, --testing, --firstSteps, --cacheSizeGB)
 * says so in its help. What mongod has and FlintDB does not is refused by name: nothing is accepted and ignored.
 */
import {
  ELEVATOR_NAMES,
  isElevatorName,
  isPageCompression,
  PAGE_COMPRESSIONS,
  type ElevatorName,
  type PageCompression,
} from '../../storage/index.ts';
import { UsageError, type GivenOptions, type OptionDefinition } from './option-table.ts';

const GENERAL = 'General';
const NETWORK = 'Network';
const STORAGE = 'Storage';
const LOGGING = 'Logging';
const CLUSTER = 'Cluster';
const TESTS = 'Tests and first steps (not in mongod)';
const REFUSED = 'Not supported';

const later = (what: string): string => `${what} come with a later version of FlintDB.`;
const access = later('access control and TLS');
const cluster = later('replica sets');

export const FLINTD_OPTIONS: readonly OptionDefinition[] = [
  {
    flag: 'help',
    short: 'h',
    type: 'switch',
    group: GENERAL,
    help: 'Shows this text.',
  },
  { flag: 'version', type: 'switch', group: GENERAL, help: 'Shows the version.' },
  {
    flag: 'config',
    short: 'f',
    type: 'string',
    value: '<file>',
    group: GENERAL,
    help: 'Reads options from a YAML file. The command line wins over it.',
  },
  {
    flag: 'setParameter',
    yaml: 'setParameter',
    type: 'pairs',
    value: '<name=value>',
    group: GENERAL,
    help: 'Sets a server parameter. May be repeated.',
  },
  {
    flag: 'pidfilepath',
    yaml: 'processManagement.pidFilePath',
    type: 'string',
    value: '<file>',
    group: GENERAL,
    help: 'Writes the process id into this file.',
  },
  {
    flag: 'noauth',
    type: 'switch',
    group: GENERAL,
    help: 'Says that everybody who can reach the port may do everything. Needed to listen beyond this machine.',
  },
  {
    flag: 'port',
    yaml: 'net.port',
    type: 'integer',
    range: [0, 65_535],
    value: '<port>',
    group: NETWORK,
    help: 'TCP port to listen on; 0 takes a free one. Default 27017.',
  },
  {
    flag: 'bind_ip',
    yaml: 'net.bindIp',
    type: 'list',
    value: '<addresses>',
    group: NETWORK,
    help: 'Comma separated addresses to listen on. Default localhost.',
  },
  {
    flag: 'bind_ip_all',
    yaml: 'net.bindIpAll',
    type: 'switch',
    group: NETWORK,
    help: 'Listens on all addresses.',
  },
  {
    flag: 'ipv6',
    yaml: 'net.ipv6',
    type: 'switch',
    group: NETWORK,
    help: 'Listens on IPv6, too (localhost, all addresses).',
  },
  {
    flag: 'maxConns',
    yaml: 'net.maxIncomingConnections',
    type: 'integer',
    range: [5, 1_000_000],
    value: '<number>',
    group: NETWORK,
    help: 'Most connections at a time. Default 65536.',
  },
  {
    flag: 'networkMessageCompressors',
    yaml: 'net.compression.compressors',
    type: 'list',
    value: '<names>',
    group: NETWORK,
    help: "Compressors to offer: snappy, zstd, zlib, or 'disabled'. Default snappy,zstd,zlib.",
  },
  {
    flag: 'nounixsocket',
    type: 'switch',
    group: NETWORK,
    help: 'Listens on no Unix domain socket, which FlintDB never does.',
  },
  {
    flag: 'httpPort',
    yaml: 'net.http.port',
    type: 'integer',
    range: [0, 65_535],
    value: '<port>',
    group: NETWORK,
    help: 'Serves the Data API, /healthz, /readyz and /metrics over HTTP on this port. Off unless given. Not in mongod.',
  },
  {
    flag: 'httpAllowedOrigins',
    yaml: 'net.http.allowedOrigins',
    type: 'list',
    value: '<origins>',
    group: NETWORK,
    help: 'Origins whose web pages may call the HTTP port, such as https://app.example. Default none. Not in mongod.',
  },
  {
    flag: 'httpAllowedHosts',
    yaml: 'net.http.allowedHosts',
    type: 'list',
    value: '<names>',
    group: NETWORK,
    help: "Names by which the HTTP port is reached, beside localhost and addresses; '*' is any. Default none. Not in mongod.",
  },
  {
    flag: 'dbpath',
    yaml: 'storage.dbPath',
    type: 'string',
    value: '<directory>',
    group: STORAGE,
    help: 'Directory of the data; it must exist. Default /data/db.',
  },
  {
    flag: 'cacheSizeGB',
    yaml: 'storage.cacheSizeGB',
    type: 'number',
    range: [0.016, 10_000],
    value: '<gigabytes>',
    group: STORAGE,
    help: 'Size of the page cache. Default half of the memory beyond 1 GB, at least 0.25 or, where that is less, an eighth of the memory. Not in mongod.',
  },
  {
    flag: 'wiredTigerCacheSizeGB',
    yaml: 'storage.wiredTiger.engineConfig.cacheSizeGB',
    type: 'number',
    range: [0.016, 10_000],
    value: '<gigabytes>',
    group: STORAGE,
    help: "mongod's name for --cacheSizeGB.",
  },
  {
    flag: 'wiredTigerCollectionBlockCompressor',
    yaml: 'storage.wiredTiger.collectionConfig.blockCompressor',
    type: 'string',
    value: '<none|snappy|zstd>',
    group: STORAGE,
    help: 'How pages of new collections are compressed. Default snappy.',
  },
  {
    flag: 'elevator',
    yaml: 'storage.elevator',
    type: 'string',
    value: '<noop|deadline>',
    group: STORAGE,
    help: 'Order of requests to the block store: noop (default) for flash, deadline for disks that seek. Not in mongod.',
  },
  {
    flag: 'verifyWrites',
    yaml: 'storage.verifyWrites',
    type: 'switch',
    group: STORAGE,
    help: 'Reads every page back from the disk before a checkpoint counts. Not in mongod.',
  },
  {
    flag: 'freeSpaceReserveMB',
    yaml: 'storage.freeSpaceReserveMB',
    type: 'integer',
    range: [0, 1_048_576],
    value: '<MB>',
    group: STORAGE,
    help: 'Kept free on the disk: below it inserts and updates are refused. Default a twentieth of it, 4 to 256. Not in mongod.',
  },
  {
    flag: 'journalCommitInterval',
    yaml: 'storage.journal.commitIntervalMs',
    type: 'integer',
    range: [1, 500],
    value: '<ms>',
    group: STORAGE,
    help: 'Milliseconds within which a write that nobody waits for reaches the device. Default 100.',
  },
  {
    flag: 'syncdelay',
    yaml: 'storage.syncPeriodSecs',
    type: 'number',
    range: [0, 86_400],
    value: '<seconds>',
    group: STORAGE,
    help: 'Seconds between two checkpoints; 0: only when needed. Default 60.',
  },
  {
    flag: 'oplogSize',
    yaml: 'replication.oplogSizeMB',
    type: 'integer',
    range: [1, 1_000_000_000],
    value: '<MB>',
    group: STORAGE,
    help: 'Megabytes of journal that are kept for who reads it later, beyond what recovery needs. Default: none.',
  },
  {
    flag: 'oplogMinRetentionHours',
    yaml: 'storage.oplogMinRetentionHours',
    type: 'number',
    range: [0, 1_000_000],
    value: '<hours>',
    group: STORAGE,
    help: 'Hours for which the journal is kept, also beyond --oplogSize. Default 0.',
  },
  {
    flag: 'logpath',
    yaml: 'systemLog.path',
    type: 'string',
    value: '<file>',
    group: LOGGING,
    help: 'Writes the log into this file instead of standard error.',
  },
  {
    flag: 'logappend',
    yaml: 'systemLog.logAppend',
    type: 'switch',
    group: LOGGING,
    help: 'Keeps what an existing log file holds.',
  },
  {
    flag: 'logRotate',
    yaml: 'systemLog.logRotate',
    type: 'string',
    value: '<rename|reopen>',
    group: LOGGING,
    help: 'What SIGUSR1 and the command logRotate do with the log file: rename it and begin a new one (default), or open its name again. reopen needs --logappend.',
  },
  {
    flag: 'quiet',
    yaml: 'systemLog.quiet',
    type: 'switch',
    group: LOGGING,
    help: 'Logs no line for connections that open and close.',
  },
  {
    flag: 'profile',
    yaml: 'operationProfiling.mode',
    type: 'string',
    value: '<0|1|2>',
    group: LOGGING,
    help: 'Which operations are written into system.profile of their database: none (0, off), slow ones (1, slowOp) or all (2, all). Default 0.',
  },
  {
    flag: 'slowms',
    yaml: 'operationProfiling.slowOpThresholdMs',
    type: 'integer',
    range: [0, 2 ** 31 - 1],
    value: '<ms>',
    group: LOGGING,
    help: 'Logs operations that take longer than this. Default 100.',
  },
  {
    flag: 'noscripting',
    type: 'switch',
    group: NETWORK,
    help: 'Switches server-side JavaScript off: $where, $function, $accumulator, mapReduce.',
  },
  {
    flag: 'javascriptEnabled',
    yaml: 'security.javascriptEnabled',
    type: 'switch',
    fileOnly: true,
    group: NETWORK,
    help: 'The same for the configuration file: false switches server-side JavaScript off.',
  },
  {
    flag: 'testing',
    type: 'switch',
    group: TESTS,
    help: 'Allows commands for tests, such as configureFailPoint: the same as --setParameter enableTestCommands=1.',
  },
  {
    flag: 'inMemory',
    type: 'switch',
    group: TESTS,
    help: 'Keeps all data in memory: it ends with the process, and there is no --dbpath.',
  },
  {
    flag: 'ephemeral',
    type: 'switch',
    group: TESTS,
    help: 'Ends as soon as standard input does, and takes the data directory with it: for programs that start a server and may be killed.',
  },
  {
    flag: 'firstSteps',
    type: 'switch',
    group: TESTS,
    help: 'Creates a missing data directory, logs for people, and prints what to type next. npm start uses it.',
  },
  // What mongod has and FlintDB does not.
  {
    flag: 'auth',
    yaml: 'security.authorization',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: access,
  },
  {
    flag: 'keyFile',
    yaml: 'security.keyFile',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: access,
  },
  {
    flag: 'tlsMode',
    yaml: 'net.tls.mode',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: access,
  },
  {
    flag: 'tlsCertificateKeyFile',
    yaml: 'net.tls.certificateKeyFile',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: access,
  },
  {
    flag: 'tlsCAFile',
    yaml: 'net.tls.CAFile',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: access,
  },
  {
    flag: 'replSet',
    yaml: 'replication.replSetName',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: cluster,
  },
  {
    flag: 'shardsvr',
    type: 'switch',
    group: CLUSTER,
    help: 'This server is a shard of a cluster. Port 27018 unless --port says another one.',
  },
  {
    flag: 'configsvr',
    type: 'switch',
    group: CLUSTER,
    help: "This server keeps a cluster's metadata. Port 27019 unless --port says another one.",
  },
  {
    flag: 'clusterRole',
    yaml: 'sharding.clusterRole',
    type: 'string',
    group: CLUSTER,
    fileOnly: true,
    help: "'shardsvr' or 'configsvr', as mongod's configuration files say it.",
  },
  {
    flag: 'timeZoneInfo',
    yaml: 'processManagement.timeZoneInfo',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: 'FlintDB brings its own time zones: leave the option out.',
  },
  {
    flag: 'fork',
    yaml: 'processManagement.fork',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: 'flintd stays in the foreground: run it under systemd, a container or nohup.',
  },
  {
    flag: 'storageEngine',
    yaml: 'storage.engine',
    type: 'string',
    group: REFUSED,
    help: '',
    refused: 'FlintDB has one storage engine, its own: leave the option out.',
  },
  {
    flag: 'nojournal',
    yaml: 'storage.journal.enabled',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: 'the journal cannot be switched off or on: it is always there.',
  },
  {
    flag: 'directoryperdb',
    yaml: 'storage.directoryPerDB',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: 'FlintDB keeps all databases in one block store.',
  },
  {
    flag: 'repair',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: later('repair tools'),
  },
  {
    flag: 'syslog',
    type: 'switch',
    group: REFUSED,
    help: '',
    refused: 'the log goes to standard error or, with --logpath, to a file.',
  },
  {
    flag: 'destination',
    yaml: 'systemLog.destination',
    type: 'string',
    group: LOGGING,
    fileOnly: true,
    help: "Only 'file', beside systemLog.path, as mongod's configuration files say it.",
  },
];

export type ClusterRole = 'shardsvr' | 'configsvr';

const DEFAULT_PORTS = { alone: 27_017, shardsvr: 27_018, configsvr: 27_019 } as const;

/** flintd's options, checked and with their defaults. */
export interface FlintdOptions {
  readonly dbPath: string;
  readonly port: number;
  /** Addresses, 'localhost' among them. */
  readonly bindAddresses: readonly string[];
  /** What it is in a cluster; undefined: a server alone. */
  readonly clusterRole: ClusterRole | undefined;
  readonly maxConnections: number;
  readonly compressors: readonly string[];
  readonly httpPort: number | undefined;
  readonly httpGuard: {
    readonly allowedOrigins: readonly string[];
    readonly allowedHosts: readonly string[];
  };
  /** Bytes; undefined lets the engine choose. */
  readonly cacheBytes: number | undefined;
  /** Of collections that are created without a word about it; undefined lets the engine choose. */
  readonly compression: PageCompression | undefined;
  readonly elevator: ElevatorName | undefined;
  readonly verifyWrites: boolean;
  /** Bytes; undefined lets the engine choose. */
  readonly freeSpaceReserveBytes: number | undefined;
  readonly journalCommitIntervalMs: number | undefined;
  readonly checkpointIntervalMs: number | undefined;
  /** Of journal that is kept beyond what recovery needs: at least so many bytes, and as long. */
  readonly journalRetention: { readonly bytes: number; readonly ms: number };
  readonly logPath: string | undefined;
  readonly logAppend: boolean;
  readonly logRotation: 'rename' | 'reopen';
  readonly slowOperationMs: number;
  readonly profilingLevel: 0 | 1 | 2;
  /** Server-side JavaScript: $where, $function, $accumulator, mapReduce. */
  readonly hasScripts: boolean;
  readonly pidFilePath: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
  readonly firstSteps: boolean;
  /** No directory: the data end with the process. dbPath is empty then. */
  readonly inMemory: boolean;
  /** Ends with standard input; the data directory is removed. */
  readonly ephemeral: boolean;
}

const GIGABYTE = 1024 ** 3;
const MEGABYTE = 1024 ** 2;
const HOUR_MS = 3_600_000;

/** @throws UsageError for options that do not go together. */
export function flintdOptionsFrom(given: GivenOptions): FlintdOptions {
  const bindAddresses = addressesOf(given);
  const clusterRole = clusterRoleOf(given);
  const beyond = bindAddresses.find((address) => !isLoopback(address));
  if (beyond !== undefined && !flag(given, 'noauth')) {
    throw new UsageError(
      `Listening on ${beyond} lets everybody who can reach it read and change all data, because this version has no access control. ` +
        'Say --noauth if that is what you want, or leave --bind_ip at localhost.',
    );
  }
  if (given.has('cacheSizeGB') && given.has('wiredTigerCacheSizeGB')) {
    throw new UsageError(
      '--cacheSizeGB and --wiredTigerCacheSizeGB are the same option: give one.',
    );
  }
  if (flag(given, 'inMemory') && given.has('dbpath')) {
    throw new UsageError('--inMemory and --dbpath exclude each other.');
  }
  checkDestination(given);
  const syncSeconds = number(given, 'syncdelay');
  const reserveMB = number(given, 'freeSpaceReserveMB');
  const cacheGB = number(given, 'cacheSizeGB') ?? number(given, 'wiredTigerCacheSizeGB');
  return {
    dbPath: flag(given, 'inMemory') ? '' : (text(given, 'dbpath') ?? '/data/db'),
    port: number(given, 'port') ?? DEFAULT_PORTS[clusterRole ?? 'alone'],
    clusterRole,
    bindAddresses,
    maxConnections: number(given, 'maxConns') ?? 65_536,
    compressors: compressorsOf(given),
    httpPort: number(given, 'httpPort'),
    httpGuard: {
      allowedOrigins: originsOf(given),
      allowedHosts: list(given, 'httpAllowedHosts') ?? [],
    },
    cacheBytes: cacheGB === undefined ? undefined : Math.round(cacheGB * GIGABYTE),
    compression: compressionOf(given),
    elevator: elevatorOf(given),
    verifyWrites: flag(given, 'verifyWrites'),
    freeSpaceReserveBytes: reserveMB === undefined ? undefined : reserveMB * MEGABYTE,
    journalCommitIntervalMs: number(given, 'journalCommitInterval'),
    checkpointIntervalMs: syncSeconds === undefined ? undefined : syncSeconds * 1000,
    journalRetention: {
      bytes: (number(given, 'oplogSize') ?? 0) * MEGABYTE,
      ms: (number(given, 'oplogMinRetentionHours') ?? 0) * HOUR_MS,
    },
    logPath: text(given, 'logpath'),
    logAppend: flag(given, 'logappend'),
    logRotation: logRotationOf(given),
    slowOperationMs: number(given, 'slowms') ?? 100,
    profilingLevel: profilingLevelOf(given),
    hasScripts: !flag(given, 'noscripting') && given.get('javascriptEnabled') !== false,
    pidFilePath: text(given, 'pidfilepath'),
    parameters: parametersOf(given),
    firstSteps: flag(given, 'firstSteps'),
    inMemory: flag(given, 'inMemory'),
    ephemeral: flag(given, 'ephemeral'),
  };
}

function clusterRoleOf(given: GivenOptions): ClusterRole | undefined {
  const roles = new Set<ClusterRole>();
  const named = text(given, 'clusterRole');
  if (named !== undefined && named !== 'shardsvr' && named !== 'configsvr') {
    throw new UsageError(`sharding.clusterRole is 'shardsvr' or 'configsvr', not '${named}'.`);
  }
  if (flag(given, 'shardsvr') || named === 'shardsvr') roles.add('shardsvr');
  if (flag(given, 'configsvr') || named === 'configsvr') roles.add('configsvr');
  if (roles.size > 1) throw new UsageError('--shardsvr and --configsvr exclude each other.');
  return [...roles][0];
}

function addressesOf(given: GivenOptions): readonly string[] {
  const ipv6 = flag(given, 'ipv6');
  if (flag(given, 'bind_ip_all')) {
    if (given.has('bind_ip'))
      throw new UsageError('--bind_ip and --bind_ip_all exclude each other.');
    return ipv6 ? ['::'] : ['0.0.0.0'];
  }
  const named = list(given, 'bind_ip') ?? ['localhost'];
  const addresses = named.flatMap((address) => {
    if (address === 'localhost') return ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
    return address === '*' ? ['0.0.0.0'] : [address];
  });
  return [...new Set(addresses)];
}

/** Whether an address can be reached from this machine only. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

function originsOf(given: GivenOptions): readonly string[] {
  const origins = list(given, 'httpAllowedOrigins') ?? [];
  const wrong = origins.find((origin) => !isOrigin(origin));
  if (wrong === undefined) return origins;
  throw new UsageError(
    `--httpAllowedOrigins: '${wrong}' is no origin. One looks like https://app.example or http://localhost:3000, without a path.`,
  );
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

const COMPRESSORS = ['snappy', 'zstd', 'zlib'];

function compressorsOf(given: GivenOptions): readonly string[] {
  const names = list(given, 'networkMessageCompressors') ?? COMPRESSORS;
  if (names.length === 1 && names[0] === 'disabled') return [];
  const unknown = names.find((name) => !COMPRESSORS.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(
    `--networkMessageCompressors: '${unknown}' is not among ${COMPRESSORS.join(', ')} (or 'disabled').`,
  );
}

function parametersOf(given: GivenOptions): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const named = given.get('setParameter');
  if (named instanceof Map) for (const [name, value] of named) parameters.set(name, value);
  if (flag(given, 'testing')) parameters.set('enableTestCommands', '1');
  // Whoever takes first steps at a terminal wants to read other things than connections.
  if (flag(given, 'quiet') || flag(given, 'firstSteps')) parameters.set('quiet', 'true');
  return parameters;
}

function compressionOf(given: GivenOptions): PageCompression | undefined {
  const name = text(given, 'wiredTigerCollectionBlockCompressor');
  if (name === undefined || isPageCompression(name)) return name;
  throw new UsageError(
    `--wiredTigerCollectionBlockCompressor: '${name}' is not among ${PAGE_COMPRESSIONS.join(', ')}.`,
  );
}

function elevatorOf(given: GivenOptions): ElevatorName | undefined {
  const name = text(given, 'elevator');
  if (name === undefined || isElevatorName(name)) return name;
  throw new UsageError(`--elevator: '${name}' is not among ${ELEVATOR_NAMES.join(', ')}.`);
}

function logRotationOf(given: GivenOptions): FlintdOptions['logRotation'] {
  const rotation = text(given, 'logRotate') ?? 'rename';
  if (rotation !== 'rename' && rotation !== 'reopen') {
    throw new UsageError(`--logRotate is rename or reopen, not '${rotation}'.`);
  }
  // The start would empty the file that the tool which rotates has just put there.
  if (rotation === 'reopen' && !flag(given, 'logappend')) {
    throw new UsageError('--logRotate reopen needs --logappend.');
  }
  return rotation;
}

/** On the command line a number, in a file a word. */
function profilingLevelOf(given: GivenOptions): 0 | 1 | 2 {
  const mode = text(given, 'profile') ?? '0';
  if (mode === '0' || mode === 'off') return 0;
  if (mode === '1' || mode === 'slowOp') return 1;
  if (mode === '2' || mode === 'all') return 2;
  throw new UsageError(`--profile is 0, 1 or 2 (off, slowOp or all in a file), not '${mode}'.`);
}

function checkDestination(given: GivenOptions): void {
  const destination = text(given, 'destination');
  if (destination === undefined) return;
  if (destination !== 'file' || !given.has('logpath')) {
    throw new UsageError("systemLog.destination can only be 'file', together with systemLog.path.");
  }
}

function text(given: GivenOptions, name: string): string | undefined {
  const value = given.get(name);
  return typeof value === 'string' ? value : undefined;
}

function number(given: GivenOptions, name: string): number | undefined {
  const value = given.get(name);
  return typeof value === 'number' ? value : undefined;
}

function flag(given: GivenOptions, name: string): boolean {
  return given.get(name) === true;
}

function list(given: GivenOptions, name: string): readonly string[] | undefined {
  const value = given.get(name);
  return Array.isArray(value) ? value.map(String) : undefined;
}
