/**
 * One other server of the cluster, a shard or the config server: connections to it, and what it answers.
 *
 * Owns: the pool. Promises: whatever goes wrong on the way is a CommandError with MongoDB's code: HostUnreachable when nobody answers
 * there, the reason of the interruption when the operation had to stop first. Never: retries a write that may have been done.
 */
import { errorOfReply, ConnectionPool, Connection, formatAddress } from '../../wire/index.ts';
import type { DocumentSequence, TcpAddress } from '../../wire/index.ts';
import { fieldsOf, getField, type RawValue } from '../../bson/index.ts';
import type { Clock } from '../../common/clock.ts';
import { CommandError, NetworkError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';

export interface RequestOptions {
  readonly sequences?: readonly DocumentSequence[];
  /** Asking twice does no harm: once more on a fresh connection when the first one has broken. */
  readonly isRepeatable?: boolean;
}

/** An operation waits so long for a connection to be opened, milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_IDLE_MS = 120_000;
const MAX_CONNECTIONS = 1_000;
const MAX_OPENING = 8;

export class RemoteServer {
  /** The shard's name; "config" for the config server. */
  readonly name: string;
  readonly address: TcpAddress;
  private readonly pool: ConnectionPool;

  constructor(name: string, address: TcpAddress, clock: Clock) {
    this.name = name;
    this.address = address;
    this.pool = new ConnectionPool({
      clock,
      connect: () =>
        Connection.connect({
          address,
          clock,
          metadata: { driver: { name: 'flints', version: FLINTDB_VERSION } },
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
        }),
      maxSize: MAX_CONNECTIONS,
      maxOpening: MAX_OPENING,
      maxIdleMs: MAX_IDLE_MS,
    });
  }

  /** host:port */
  get host(): string {
    return formatAddress(this.address);
  }

  get connections(): ConnectionPool['statistics'] {
    return this.pool.statistics;
  }

  /**
   * Runs a command. @param body with `$db`. @returns the reply. @throws CommandError the server's own error with all its fields,
   * HostUnreachable, or the interruption's reason.
   */
  async command(
    body: Buffer,
    interruption: Interruption,
    options: RequestOptions = {},
  ): Promise<Buffer> {
    const reply = await this.request(body, interruption, options);
    const error = shardErrorOf(reply);
    if (error !== undefined) throw error;
    return reply;
  }

  /** Like command, but what the server says is returned, whatever it is. */
  async request(
    body: Buffer,
    interruption: Interruption,
    options: RequestOptions = {},
  ): Promise<Buffer> {
    try {
      return await this.ask(body, interruption, options);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      if (options.isRepeatable !== true) throw this.unreachable(error);
    }
    try {
      return await this.ask(body, interruption, options);
    } catch (error) {
      throw error instanceof NetworkError ? this.unreachable(error) : error;
    }
  }

  close(): void {
    this.pool.close();
  }

  private ask(body: Buffer, interruption: Interruption, options: RequestOptions): Promise<Buffer> {
    return this.pool.use(async (connection) => {
      const { sequences } = options;
      const reply = await connection.request(body, {
        interruption,
        ...(sequences === undefined ? {} : { sequences }),
      });
      // The reply is part of a network buffer that may be many times its size, and cursors keep documents of it.
      return reply.body;
    }, interruption);
  }

  private unreachable(cause: NetworkError): CommandError {
    return new CommandError(
      'HostUnreachable',
      `Error connecting to ${this.host} (${this.name}) :: caused by :: ${cause.message}`,
      { cause },
    );
  }
}

/** Fields of an error reply that are no further details. */
const COMMON_FIELDS: ReadonlySet<string> = new Set([
  'ok',
  'errmsg',
  'code',
  'codeName',
  'errorLabels',
  '$clusterTime',
  'operationTime',
]);

/** The error that a reply reports, with its details (keyPattern, errInfo, …); undefined when it says ok: 1. */
export function shardErrorOf(reply: Buffer): CommandError | undefined {
  const error = errorOfReply(reply);
  if (error === undefined) return undefined;
  const fields: Record<string, RawValue> = {};
  for (const [name, value] of fieldsOf(reply)) {
    if (!COMMON_FIELDS.has(name)) fields[name] = value;
  }
  return new CommandError(error.code, error.message, { labels: error.labels, fields });
}

/** An entry of writeErrors as an error. */
export function errorOfEntry(entry: Buffer): CommandError {
  const code = getField(entry, 'code');
  const message = getField(entry, 'errmsg');
  const fields: Record<string, RawValue> = {};
  for (const [name, value] of fieldsOf(entry)) {
    if (!COMMON_FIELDS.has(name) && name !== 'index' && name !== 'idx' && name !== 'n') {
      fields[name] = value;
    }
  }
  return new CommandError(
    code?.isNumber === true ? code.asNumber() : 'UnknownError',
    message?.typeName === 'string' ? message.asString() : '',
    { fields },
  );
}
