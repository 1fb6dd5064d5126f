/**
 * What `import … from 'flintdb/http'` gives: the SDK over HTTP, for browsers, edge runtimes, Deno and Bun.
 *
 * Promises: `fetch` and what else every platform of the web has, and no module of Node; connection strings are http:// or
 * https:// URLs. The bundle (dist/sdk/http.js) imports nothing: a page loads it as it is.
 */
import { BaseClient, type ClientTransports } from './client.ts';
import type { MongoClientOptions } from './options/client-options.ts';
import { HttpTransport } from './transport/http/http-transport.ts';

export * from './portable.ts';

const TRANSPORTS: ClientTransports = {
  factoryFor: ({ scheme }) =>
    scheme === 'http' || scheme === 'https' ? (settings) => new HttpTransport(settings) : undefined,
};

export class FlintClient extends BaseClient {
  /**
   * @param url of a server's HTTP port.
   * @throws MongoParseError, MongoInvalidArgumentError for a URL or options that are wrong.
   */
  constructor(url: string, options: MongoClientOptions = {}) {
    super(url, options, TRANSPORTS);
  }

  static async connect(url: string, options: MongoClientOptions = {}): Promise<FlintClient> {
    return new FlintClient(url, options).connect();
  }
}

export { FlintClient as MongoClient };
