/**
 * The classes of mongodb-memory-server over startServer: a project's tests change one import.
 *
 * There is nothing to download, so whatever `binary` says is beside the point. Other options mean what they mean there, or
 * are refused by name.
 */
import { rmSync } from 'node:fs';
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

export const MongoMemoryServerStates = {
  new: 'new',
  starting: 'starting',
  running: 'running',
  stopped: 'stopped',
} as const;
export type MongoMemoryServerStates =
  (typeof MongoMemoryServerStates)[keyof typeof MongoMemoryServerStates];

export const MongoMemoryServerEvents = { stateChange: 'stateChange' } as const;

/** What stop() does besides ending the server. */
export interface Cleanup {
  /** Default true: what it wrote goes. False only with a `dbPath`, whose data stay and are there at the next start. */
  doCleanup?: boolean;
  /** A `dbPath` goes, too. */
  force?: boolean;
}

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
  #state: MongoMemoryServerStates = 'new';
  #starting: Promise<void> | undefined;
  /** Of a server that was stopped and not cleaned up: it starts there again if it can. */
  #port: number | undefined;

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

  get state(): MongoMemoryServerStates {
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

  /** @param forceSamePort after a stop without cleanup: the port that it had, or none. */
  async start(forceSamePort = false): Promise<void> {
    if (this.#state === 'running' || this.#state === 'starting') {
      throw new Error('Cannot start because it is already running or starting');
    }
    this.#become('starting');
    this.#starting = this.#launch(forceSamePort);
    try {
      await this.#starting;
      this.#become('running');
    } catch (error) {
      this.#become('stopped');
      throw error;
    }
  }

  async #launch(forceSamePort: boolean): Promise<void> {
    const options = serverOptions(this.opts.instance ?? {});
    const port = this.#port;
    this.#server = await (port === undefined
      ? startServer(options)
      : startServer({ ...options, port }).catch((error: unknown) => {
          if (forceSamePort) throw error;
          return startServer(options);
        }));
  }

  /** Starts it if it does not run. */
  async ensureInstance(): Promise<MongoInstanceInfo> {
    if (this.#state === 'starting') await this.#starting;
    else if (this.#state !== 'running') await this.start();
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

  /** @returns whether it ran. @throws MongoInvalidArgumentError when data are to stay that have no directory. */
  async stop(cleanup: Cleanup | boolean = {}): Promise<boolean> {
    const server = this.#server;
    if (server === undefined) return false;
    const { doCleanup = true, force = false } =
      typeof cleanup === 'boolean' ? { doCleanup: cleanup } : cleanup;
    if (!doCleanup && this.opts.instance?.dbPath === undefined) {
      throw refused('doCleanup', 'name an instance.dbPath whose data are to stay');
    }
    this.#server = undefined;
    this.#port = doCleanup ? undefined : server.port;
    await server.stop();
    this.#become('stopped');
    if (doCleanup) await this.cleanup({ force });
    return true;
  }

  /** After stop(): a directory of the caller's stays, unless it is forced to go. */
  cleanup(options: Cleanup | boolean = {}): Promise<void> {
    if (this.#state !== 'stopped') {
      return Promise.reject(new Error(`Cannot clean up what is ${this.#state}: stop() it first`));
    }
    const isForced = typeof options === 'boolean' ? options : options.force === true;
    const dbPath = this.opts.instance?.dbPath;
    if (isForced && dbPath !== undefined) rmSync(dbPath, { recursive: true, force: true });
    this.#port = undefined;
    this.#become('new');
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

  #become(state: MongoMemoryServerStates): void {
    this.#state = state;
    this.emit(MongoMemoryServerEvents.stateChange, state);
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
    /** Megabytes of history that are kept. */
    oplogSize?: number;
    /** About elections, which a set of one does not hold; and about how MongoDB's program is started. */
    configSettings?: unknown;
    spawn?: unknown;
  };
  instanceOpts?: MemoryServerInstanceOptions[];
  binary?: unknown;
}

export const MongoMemoryReplSetStates = {
  init: 'init',
  running: 'running',
  stopped: 'stopped',
} as const;
export type MongoMemoryReplSetStates =
  (typeof MongoMemoryReplSetStates)[keyof typeof MongoMemoryReplSetStates];

export const MongoMemoryReplSetEvents = MongoMemoryServerEvents;

const REPL_SET_OPTIONS = new Set([
  'name',
  'count',
  'dbName',
  'ip',
  'storageEngine',
  'args',
  'auth',
  'oplogSize',
  'configSettings',
  'spawn',
]);

/**
 * One flintd with the identity of a replica set. As long as FlintDB has none, it checks its options and says so at start(): what would
 * work without a set and what would not is the caller's to know before his tests fail in the middle.
 */
export class MongoMemoryReplSet extends Emitter {
  readonly #name: string;
  readonly #server: MongoMemoryServer;
  #state: MongoMemoryReplSetStates = 'stopped';

  /** @throws Error that says what to use instead, as long as FlintDB has no replica sets. */
  static async create(options: MongoMemoryReplSetOptions = {}): Promise<MongoMemoryReplSet> {
    const set = new MongoMemoryReplSet(options);
    await set.start();
    return set;
  }

  constructor(options: MongoMemoryReplSetOptions = {}) {
    super();
    const unknown = Object.keys(options.replSet ?? {}).find((name) => !REPL_SET_OPTIONS.has(name));
    if (unknown !== undefined) throw refused(`replSet.${unknown}`, 'it is not known');
    const {
      name = 'testset',
      count = 1,
      args = [],
      dbName,
      ip,
      storageEngine,
      auth,
      oplogSize,
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
        args: [
          ...args,
          ...(oplogSize === undefined ? [] : ['--oplogSize', String(oplogSize)]),
          '--replSet',
          name,
        ],
      },
    });
    this.#server.on(MongoMemoryServerEvents.stateChange, (state: MongoMemoryServerStates) => {
      const now = STATE_OF_SET[state];
      if (now === this.#state) return;
      this.#state = now;
      this.emit(MongoMemoryReplSetEvents.stateChange, now);
    });
  }

  get servers(): MongoMemoryServer[] {
    return [this.#server];
  }

  get state(): MongoMemoryReplSetStates {
    return this.#state;
  }

  async start(): Promise<void> {
    await this.#server.start().catch(refuseWithAdvice);
  }

  async waitUntilRunning(): Promise<void> {
    await this.#server.ensureInstance().catch(refuseWithAdvice);
  }

  getUri(database?: string, ip?: string): string {
    return `${this.#server.getUri(database, ip)}?replicaSet=${this.#name}`;
  }

  stop(cleanup?: Cleanup | boolean): Promise<boolean> {
    return this.#server.stop(cleanup);
  }

  cleanup(options?: Cleanup | boolean): Promise<void> {
    return this.#server.cleanup(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** @throws the error as it is, when it is another one than that there are no replica sets yet. */
function refuseWithAdvice(error: unknown): never {
  if (!(error instanceof Error) || !error.message.includes('--replSet')) throw error;
  throw new Error(
    'MongoMemoryReplSet cannot start: replica sets come with a later version of FlintDB. MongoMemoryServer starts a standalone server, ' +
      "which refuses transactions and change streams as MongoDB's does; all else works on it.",
    { cause: error },
  );
}

const STATE_OF_SET: Readonly<Record<MongoMemoryServerStates, MongoMemoryReplSetStates>> = {
  new: 'stopped',
  starting: 'init',
  running: 'running',
  stopped: 'stopped',
};

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
