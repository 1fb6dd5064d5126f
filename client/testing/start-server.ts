/**
 * startServer: a FlintDB for one test run. Nothing to install or to download, nothing left behind.
 *
 * Owns: the server, and the connection over which it is reset and made to fail.
 */
import { deserialize, serialize, type Document } from 'bson';
import { foregroundClock } from '../../common/clock.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { Connection } from '../../wire/index.ts';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import { MongoServerError } from '../errors/mongo-error.ts';
import { startInProcess } from './embedded-server.ts';
import { startFlintdProcess, type FlintdProcess } from './flintd-process.ts';

export interface StartServerOptions {
  /** Runs in this process instead of a child process. */
  readonly inProcess?: boolean;
  /** Keeps the data in memory instead of a temporary directory. */
  readonly memory?: boolean;
  /** A directory of the caller's, which stays; absent: a temporary one. */
  readonly dbPath?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Further arguments for flintd. */
  readonly args?: readonly string[];
  /** How long it may take until it is ready; default 20,000. */
  readonly startTimeoutMs?: number;
}

/** What the next commands of a name meet. */
export interface Failure {
  /** Name of a command, such as insert; or several. */
  readonly command: string | readonly string[];
  /** Error code of the reply, such as 11600. */
  readonly code?: number;
  readonly errorLabels?: readonly string[];
  /** The connection is closed instead of a reply. */
  readonly closeConnection?: boolean;
  /** The reply comes so much later. */
  readonly delayMs?: number;
  /** Only commands of clients with this appName. */
  readonly appName?: string;
  /** The write is done, but its reply has this error of the write concern. */
  readonly writeConcernError?: Document;
  /** How many commands; default 1. */
  readonly times?: number;
}

const DEFAULT_START_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 10_000;

/** @throws Error that says why, when the server does not start. */
export async function startServer(options: StartServerOptions = {}): Promise<TestServer> {
  const { inProcess, memory, dbPath, port = 0, args = [], startTimeoutMs } = options;
  if (memory === true && dbPath !== undefined) {
    throw new MongoInvalidArgumentError('Options "memory" and "dbPath" exclude each other');
  }
  const start = inProcess === true ? startInProcess : startFlintdProcess;
  const running = await start({
    args: ['--port', String(port), '--testing', ...args],
    dbPath,
    inMemory: memory === true,
    startTimeoutMs: startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
  });
  return new TestServer(running);
}

export class TestServer {
  readonly #running: FlintdProcess;
  #connection: Promise<Connection> | undefined;

  constructor(running: FlintdProcess) {
    this.#running = running;
  }

  /** For a client: `new FlintClient(server.uri)`. */
  get uri(): string {
    return `mongodb://127.0.0.1:${this.port}/`;
  }

  get port(): number {
    return this.#running.port;
  }

  /** For a client over HTTP, where `args` asked for it with --httpPort: `new FlintClient(server.httpUri)`. */
  get httpUri(): string | undefined {
    const { httpPort } = this.#running;
    return httpPort === undefined ? undefined : `http://127.0.0.1:${httpPort}/`;
  }

  /** Of the process that serves: this one's with `inProcess`. */
  get pid(): number {
    return this.#running.pid;
  }

  /** Where the data are; undefined: in memory. */
  get dbPath(): string | undefined {
    return this.#running.dbPath;
  }

  /** Drops all databases, cursors, sessions and fail points: the server is as if it were new. Clients stay connected. */
  async reset(): Promise<void> {
    await this.#command({ resetForTests: 1 });
  }

  /**
   * Makes the next commands fail. A further call takes the place of the one before.
   * @throws MongoInvalidArgumentError when it says nothing that fails.
   */
  async failNext(failure: Failure): Promise<void> {
    const {
      command,
      code,
      errorLabels,
      closeConnection,
      delayMs,
      appName,
      writeConcernError,
      times = 1,
    } = failure;
    const fails = code ?? closeConnection ?? delayMs ?? writeConcernError ?? errorLabels;
    if (fails === undefined) {
      throw new MongoInvalidArgumentError(
        'failNext needs a code, errorLabels, closeConnection, delayMs or a writeConcernError',
      );
    }
    await this.#command({
      configureFailPoint: 'failCommand',
      mode: { times },
      data: {
        failCommands: typeof command === 'string' ? [command] : command,
        ...(code === undefined
          ? {}
          : { errorCode: code, errorExtraInfo: await this.#currentState() }),
        ...(errorLabels === undefined ? {} : { errorLabels }),
        ...(closeConnection === undefined ? {} : { closeConnection }),
        ...(delayMs === undefined ? {} : { blockConnection: true, blockTimeMS: delayMs }),
        ...(appName === undefined ? {} : { appName }),
        ...(writeConcernError === undefined ? {} : { writeConcernError }),
      },
    });
  }

  /** Ends the server and removes its temporary directory. Idempotent. */
  async stop(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.close();
    await this.#running.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * A reply that says of which state of the server it is: of the one that clients know already. Otherwise a client would take
   * codes such as 11600 for the news that the server goes down, and look for another one for ten seconds.
   */
  async #currentState(): Promise<Document> {
    this.#connection ??= this.#connect();
    const { topologyVersion } = deserialize((await this.#connection).peer.hello, {
      promoteLongs: false,
    });
    return { topologyVersion };
  }

  async #command(command: Document): Promise<void> {
    this.#connection ??= this.#connect();
    const connection = await this.#connection;
    const bytes = Buffer.from(serialize({ ...command, $db: 'admin' }));
    const { body } = await connection.request(bytes, { timeoutMs: COMMAND_TIMEOUT_MS });
    const reply = deserialize(body);
    if (reply['ok'] !== 1) throw new MongoServerError(reply);
  }

  async #connect(): Promise<Connection> {
    const connection = await Connection.connect({
      address: { host: '127.0.0.1', port: this.port },
      clock: foregroundClock,
      metadata: { driver: { name: 'flintdb-testing', version: FLINTDB_VERSION } },
    });
    connection.unref();
    connection.onEnd(() => {
      this.#connection = undefined;
    });
    return connection;
  }
}
