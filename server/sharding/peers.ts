/**
 * The other servers of a cluster: asks them, over a pool of connections to each.
 *
 * Owns: the pools. A peer's refusal arrives as its CommandError, a peer that is not there as HostUnreachable.
 */
import { documentOf, FieldCursor, getField } from '../../bson/index.ts';
import type { Clock } from '../../common/clock.ts';
import { CommandError, NetworkError } from '../../common/errors.ts';
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import type { BackupBarrier } from '../backup/backup-barrier.ts';
import {
  Connection,
  ConnectionPool,
  errorOfReply,
  NetworkTimeoutError,
  type DocumentSequence,
  type TcpAddress,
} from '../../wire/index.ts';

export interface AskOptions {
  /** Milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  readonly interruption?: Interruption;
  readonly sequences?: readonly DocumentSequence[];
}

export interface FindOptions extends AskOptions {
  readonly sort?: Buffer;
  readonly limit?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_IDLE_MS = 60_000;
const MAX_CONNECTIONS = 32;

export class Peers {
  private readonly clock: Clock;
  private readonly application: string;
  private readonly barrier: BackupBarrier | undefined;
  private readonly pools = new Map<string, ConnectionPool>();

  /**
   * @param application what the peers' logs call this server
   * @param barrier while it is up nobody is asked
   */
  constructor(clock: Clock, application: string, barrier?: BackupBarrier) {
    this.clock = clock;
    this.application = application;
    this.barrier = barrier;
  }

  /**
   * @param host "host:port"
   * @param command raw BSON with `$db`
   * @returns the reply's body. @throws CommandError: the peer's, HostUnreachable, NetworkTimeout, the interruption's
   */
  async ask(host: string, command: Buffer, options: AskOptions = {}): Promise<Buffer> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, interruption = uninterruptible, sequences } = options;
    if (this.barrier?.isUp === true) await this.barrier.passed();
    try {
      const reply = await this.poolOf(host).use(
        (connection) =>
          connection.request(command, {
            timeoutMs,
            interruption,
            ...(sequences === undefined ? {} : { sequences }),
          }),
        interruption,
      );
      const error = errorOfReply(reply.body);
      if (error !== undefined) throw error;
      return reply.body;
    } catch (error) {
      if (interruption.reason !== undefined) throw interruption.reason;
      throw error instanceof NetworkError ? unreachable(host, error) : error;
    }
  }

  /** All documents of a find. */
  async find(
    host: string,
    namespace: string,
    filter: Buffer,
    options: FindOptions = {},
  ): Promise<Buffer[]> {
    const { sort, limit, ...ask } = options;
    const dot = namespace.indexOf('.');
    const $db = namespace.slice(0, dot);
    const collection = namespace.slice(dot + 1);
    const found: Buffer[] = [];
    const first = await this.ask(
      host,
      documentOf({ find: collection, filter, sort, limit, $db }),
      ask,
    );
    let id = takeBatch(first, found);
    while (id !== 0n) {
      const next = await this.ask(host, documentOf({ getMore: id, collection, $db }), ask);
      id = takeBatch(next, found);
    }
    return found;
  }

  close(): void {
    for (const pool of this.pools.values()) pool.close();
    this.pools.clear();
  }

  private poolOf(host: string): ConnectionPool {
    const known = this.pools.get(host);
    if (known !== undefined) return known;
    const address = parseHost(host);
    const pool = new ConnectionPool({
      clock: this.clock,
      maxSize: MAX_CONNECTIONS,
      maxIdleMs: MAX_IDLE_MS,
      connect: () =>
        Connection.connect({
          address,
          clock: this.clock,
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
          metadata: {
            application: this.application,
            driver: { name: 'flintdb internal', version: FLINTDB_VERSION },
          },
        }),
    });
    this.pools.set(host, pool);
    return pool;
  }
}

/** "host:port" or "[address]:port". @throws CommandError FailedToParse */
export function parseHost(text: string): TcpAddress {
  const match = /^(?:\[([^\]]+)\]|([^:,/\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(port > 0 && port < 65_536)) {
    throw new CommandError('FailedToParse', `'${text}' is no host and port`);
  }
  return { host, port };
}

function takeBatch(reply: Buffer, into: Buffer[]): bigint {
  const cursor = getField(reply, 'cursor')?.asDocument();
  if (cursor === undefined) throw new CommandError('FailedToParse', 'a reply has no cursor');
  const batch = getField(cursor, 'firstBatch') ?? getField(cursor, 'nextBatch');
  for (const document of documentsOf(batch?.asDocument())) into.push(document);
  return getField(cursor, 'id')?.asInt64() ?? 0n;
}

function* documentsOf(array: Buffer | undefined): Generator<Buffer> {
  if (array === undefined) return;
  const elements = new FieldCursor(array);
  while (elements.next()) yield elements.value().asDocument();
}

function unreachable(host: string, cause: NetworkError): CommandError {
  const code = cause instanceof NetworkTimeoutError ? 'NetworkTimeout' : 'HostUnreachable';
  return new CommandError(code, `${host}: ${cause.message}`, { cause });
}
