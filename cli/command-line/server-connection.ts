/**
 * A tool's one connection to a server: from a connection string to commands and replies.
 *
 * Owns: the connection. Promises: a server that cannot be reached, or a command that it refuses, is a FailedCommand with a
 * sentence. Never: follows a replica set or chooses among servers: it talks to the first address named.
 */
import { deserialize, serialize, type Document } from 'bson';
import { NetworkError } from '../../common/errors.ts';
import { systemClock } from '../../common/clock.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { Connection } from '../../wire/index.ts';
import { FailedCommand } from './subcommand.ts';

const REPLY_TIMEOUT_MS = 30_000;
const DEFAULT_PORT = 27_017;
const HIGHEST_PORT = 65_535;

export class ServerConnection {
  private readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** @param uri mongodb://host[:port][/...] @throws FailedCommand */
  static async open(uri: string): Promise<ServerConnection> {
    const address = addressOf(uri);
    try {
      const connection = await Connection.connect({
        address,
        clock: systemClock,
        metadata: { driver: { name: 'flint', version: FLINTDB_VERSION } },
      });
      return new ServerConnection(connection);
    } catch (error) {
      throw new FailedCommand(
        `cannot reach ${address.host}:${address.port}: ${messageOf(error)}. Is a server running there?`,
      );
    }
  }

  /** Runs a command. @throws FailedCommand with the server's message. */
  async command(database: string, command: Document): Promise<Document> {
    const body = Buffer.from(serialize({ ...command, $db: database }));
    let reply: Buffer;
    try {
      reply = await this.connection.command(body, { timeoutMs: REPLY_TIMEOUT_MS });
    } catch (error) {
      if (error instanceof NetworkError) {
        throw new FailedCommand(`the server did not answer: ${error.message}`);
      }
      throw new FailedCommand(`the server refused: ${messageOf(error)}`);
    }
    return deserialize(reply, { promoteValues: true, promoteLongs: true });
  }

  close(): void {
    this.connection.close();
  }
}

function addressOf(uri: string): { host: string; port: number } {
  const match = /^mongodb:\/\/(\[[0-9a-f:]+\]|[^/:,@]+)(?::(\d+))?(?:,[^/]*)?(?:\/.*)?$/i.exec(uri);
  if (match === null) {
    throw new FailedCommand(
      `'${uri}' is no connection string of the form mongodb://host:port (names and passwords are not supported yet).`,
    );
  }
  const [, host, digits] = match;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (port === 0 || port > HIGHEST_PORT) throw new FailedCommand(`${port} is no port.`);
  return { host: host.replace(/^\[|\]$/g, ''), port };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
