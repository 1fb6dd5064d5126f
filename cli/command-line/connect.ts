/**
 * From a connection string to a client of the SDK, for subcommands that carry data.
 *
 * Promises: what the server or the way to it says becomes a sentence (FailedCommand); the client is closed at the end.
 */
import {
  BaseClient,
  FlintClient,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  type MongoClientOptions,
} from '../../client/index.ts';
import { FailedCommand } from './subcommand.ts';

/** A server that is not there is noticed soon: a person waits. */
const SERVER_SELECTION_MS = 10_000;
const SAYS_SELECTION = /[?&]serverSelectionTimeoutMS=/i;

/** What stands in place of a password in messages. */
export function withoutPassword(uri: string): string {
  return uri.replace(/^([a-z+]+:\/\/[^/:@]+):[^@/]*@/i, '$1:***@');
}

/** Opens a client, runs `work` with it, and closes it. @throws FailedCommand */
export async function withClient<T>(
  uri: string,
  work: (client: BaseClient) => Promise<T>,
  options: MongoClientOptions = {},
): Promise<T> {
  const client = await openClient(uri, options);
  try {
    return await work(client);
  } catch (error) {
    throw asSentence(error);
  } finally {
    await client.close().catch(() => undefined);
  }
}

async function openClient(uri: string, options: MongoClientOptions): Promise<BaseClient> {
  try {
    const client = new FlintClient(uri, {
      appName: 'flint',
      ...(SAYS_SELECTION.test(uri) ? {} : { serverSelectionTimeoutMS: SERVER_SELECTION_MS }),
      ...options,
    });
    return await client.connect();
  } catch (error) {
    if (error instanceof MongoServerSelectionError) {
      throw new FailedCommand(
        `cannot reach ${withoutPassword(uri)}: ${error.message}. Is a server running there?`,
      );
    }
    throw asSentence(error);
  }
}

/** Errors of the server and of the way to it, as a FailedCommand; anything else is a bug and stays as it is. */
export function asSentence(error: unknown): unknown {
  if (error instanceof MongoServerError) {
    const name = error.codeName === undefined ? '' : ` (${error.codeName})`;
    return new FailedCommand(`the server refused: ${error.message}${name}`);
  }
  if (error instanceof MongoNetworkError) {
    return new FailedCommand(`the connection to the server was lost: ${error.message}.`);
  }
  return error instanceof MongoError ? new FailedCommand(error.message) : error;
}
