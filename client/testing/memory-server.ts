/**
 * The classes of mongodb-memory-server over startServer: a project's tests change one import.
 *
 * There is nothing to download, so whatever `binary` says is beside the point. Other options mean what they mean there, or
 * are refused by name.
 */
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import { Emitter } from '../events/emitter.ts';
import {
  startServer,
  type Failure,
  type StartServerOptions,
  type TestServer,
} from './start-server.ts';

export interface MemoryServerInstanceOptions {
  port?: number;
  /** 127.0.0.1 alone. */
  ip?: string;
  dbName?: string;
  dbPath?: string;
  /** ephemeralForTest and inMemory (default) keep data in memory, wiredTiger in a directory. */
  storageEngine?: 'ephemeralForTest' | 'inMemory' | 'wiredTiger';
  args?: string[];
  launchTimeout?: number;
  portGeneration?: boolean;
  auth?: boolean;
  replSet?: string;
}

export interface MongoMemoryServerOptions {
  instance?: MemoryServerInstanceOptions;
  /** About downloading MongoDB: there is nothing to download. */
  binary?: unknown;
  spawn?: unknown;
  auth?: { enable?: boolean };
}

export interface MongoInstanceInfo {
  readonly port: number;
  readonly ip: string;
  readonly dbName: string;
  readonly dbPath: string | undefined;
  readonly uri: string;
  readonly storageEngine: string;
  readonly pid: number;
}

export type MemoryServerState = 'new' | 'starting' | 'running' | 'stopped';

const INSTANCE_OPTIONS = new Set([
  'port',
  'ip',
  'dbName',
  'dbPath',
  'storageEngine',
  'args',
  'launchTimeout',
  'portGeneration',
  'auth',
  'replSet',
]);

export class MongoMemoryServer extends Emitter {
  readonly opts: MongoMemoryServerOptions;
  #server: TestServer | undefined;
  #state: MemoryServerState = 'new';

  /** A server that runs. */
  static async create(options: MongoMemoryServerOptions = {}): Promise<MongoMemoryServer> {
    const server = new MongoMemoryServer(options);
    await server.start();
    return server;
  }

  /** @throws MongoInvalidArgumentError for options that FlintDB does not have. */
  constructor(options: MongoMemoryServerOptions = {}) {
    super();
    this.opts = options;
    checkInstance(options.instance ?? {});
    if (options.auth?.enable === true)
      throw refused('auth', 'this version of FlintDB has no access control');
  }

  get state(): MemoryServerState {
    return this.#state;
  }

  get instanceInfo(): MongoInstanceInfo | undefined {
    const server = this.#server;
    if (server === undefined) return undefined;
    return {
      port: server.port,
      ip: '127.0.0.1',
      dbName: this.#dbName,
      dbPath: server.dbPath,
      uri: this.getUri(),
      storageEngine: this.opts.instance?.storageEngine ?? 'inMemory',
      pid: server.pid,
    };
  }

  get #dbName(): string {
    return this.opts.instance?.dbName ?? '';
  }

  async start(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'starting') {
      throw new Error('Cannot start because it is already running or starting');
    }
    this.#become('starting');
    try {
      this.#server = await startServer(serverOptions(this.opts.instance ?? {}));
      this.#become('running');
    } catch (error) {
      this.#become('stopped');
      throw error;
    }
  }

  /** Starts it if it does not run. */
  async ensureInstance(): Promise<MongoInstanceInfo> {
    if (this.#state !== 'running') await this.start();
    const info = this.instanceInfo;
    if (info === undefined) throw new Error('the server does not run');
    return info;
  }

  /** @param database what stands behind the last slash; default none. */
  getUri(database?: string, ip = '127.0.0.1'): string {
    if (this.#server === undefined)
      throw new Error('Cannot get an URI of a server that does not run: await start() first');
    return `mongodb://${ip}:${this.#server.port}/${database ?? this.#dbName}`;
  }

  /** @returns whether it ran. */
  async stop(_cleanup?: unknown): Promise<boolean> {
    const server = this.#server;
    if (server === undefined) return false;
    this.#server = undefined;
    await server.stop();
    this.#become('stopped');
    return true;
  }

  /** What it wrote is gone since stop(); a directory of the caller's stays. */
  cleanup(_options?: unknown): Promise<void> {
    return Promise.resolve();
  }

  /** Beyond mongodb-memory-server: drops everything, in milliseconds. */
  async reset(): Promise<void> {
    await this.#running.reset();
  }

  /** Beyond mongodb-memory-server: makes the next commands fail. */
  async failNext(failure: Failure): Promise<void> {
    await this.#running.failNext(failure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #running(): TestServer {
    if (this.#server === undefined) throw new Error('the server does not run');
    return this.#server;
  }

  #become(state: MemoryServerState): void {
    this.#state = state;
    this.emit('stateChange', state);
  }
}

export interface MongoMemoryReplSetOptions {
  replSet?: {
    name?: string;
    /** Members; FlintDB has replica sets of one. */
    count?: number;
    dbName?: string;
    ip?: string;
    storageEngine?: MemoryServerInstanceOptions['storageEngine'];
    args?: string[];
    auth?: boolean | { enable?: boolean };
  };
  instanceOpts?: MemoryServerInstanceOptions[];
  binary?: unknown;
}

/** One flintd with the identity of a replica set. */
export class MongoMemoryReplSet {
  readonly #name: string;
  readonly #server: MongoMemoryServer;

  /** @throws Error with flintd's reason, as long as it cannot be a member of a replica set. */
  static async create(options: MongoMemoryReplSetOptions = {}): Promise<MongoMemoryReplSet> {
    const set = new MongoMemoryReplSet(options);
    await set.start();
    return set;
  }

  constructor(options: MongoMemoryReplSetOptions = {}) {
    const {
      name = 'testset',
      count = 1,
      args = [],
      dbName,
      ip,
      storageEngine,
      auth,
    } = options.replSet ?? {};
    if (count !== 1 || (options.instanceOpts?.length ?? 1) > 1) {
      throw refused('replSet.count', `FlintDB has no replica sets of ${count} members yet`);
    }
    if (auth === true || (typeof auth === 'object' && auth.enable === true)) {
      throw refused('auth', 'this version of FlintDB has no access control');
    }
    this.#name = name;
    this.#server = new MongoMemoryServer({
      instance: {
        ...options.instanceOpts?.[0],
        ...(dbName === undefined ? {} : { dbName }),
        ...(ip === undefined ? {} : { ip }),
        ...(storageEngine === undefined ? {} : { storageEngine }),
        args: [...args, '--replSet', name],
      },
    });
  }

  get servers(): MongoMemoryServer[] {
    return [this.#server];
  }

  get state(): MemoryServerState {
    return this.#server.state;
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  waitUntilRunning(): Promise<void> {
    return this.#server.ensureInstance().then(() => undefined);
  }

  getUri(database?: string, ip?: string): string {
    return `${this.#server.getUri(database, ip)}?replicaSet=${this.#name}`;
  }

  stop(cleanup?: unknown): Promise<boolean> {
    return this.#server.stop(cleanup);
  }

  cleanup(options?: unknown): Promise<void> {
    return this.#server.cleanup(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function serverOptions(instance: MemoryServerInstanceOptions): StartServerOptions {
  const { port, dbPath, storageEngine = 'inMemory', args = [], launchTimeout } = instance;
  const isInMemory = storageEngine !== 'wiredTiger' && dbPath === undefined;
  return {
    memory: isInMemory,
    args,
    ...(port === undefined ? {} : { port }),
    ...(dbPath === undefined ? {} : { dbPath }),
    ...(launchTimeout === undefined ? {} : { startTimeoutMs: launchTimeout }),
  };
}

function checkInstance(instance: MemoryServerInstanceOptions): void {
  const unknown = Object.keys(instance).find((name) => !INSTANCE_OPTIONS.has(name));
  if (unknown !== undefined) throw refused(`instance.${unknown}`, 'it is not known');
  const { ip = '127.0.0.1', auth, replSet, storageEngine = 'inMemory' } = instance;
  if (ip !== '127.0.0.1' && ip !== 'localhost') {
    throw refused('instance.ip', 'a server for tests listens on 127.0.0.1 alone');
  }
  if (auth === true)
    throw refused('instance.auth', 'this version of FlintDB has no access control');
  if (replSet !== undefined) throw refused('instance.replSet', 'use MongoMemoryReplSet');
  if (!['ephemeralForTest', 'inMemory', 'wiredTiger'].includes(storageEngine)) {
    throw refused('instance.storageEngine', `${storageEngine} is not known`);
  }
}

function refused(option: string, why: string): MongoInvalidArgumentError {
  return new MongoInvalidArgumentError(`Option "${option}" is not supported: ${why}`);
}
