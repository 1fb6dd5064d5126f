/**
 * The client of the whole package: the wire protocol for mongodb:// and mongodb+srv://, HTTP for http:// and https://.
 */
import { BaseClient, type ClientTransports } from './client.ts';
import type { MongoClientOptions } from './options/client-options.ts';
import { HttpTransport } from './transport/http/http-transport.ts';
import { WireTransport } from './transport/wire/wire-transport.ts';

const TRANSPORTS: ClientTransports = {
  factoryFor: ({ scheme }) =>
    scheme === 'mongodb' || scheme === 'mongodb+srv'
      ? (settings, surroundings) => new WireTransport(settings, surroundings)
      : (settings) => new HttpTransport(settings),
};

export class FlintClient extends BaseClient {
  /** @throws MongoParseError, MongoInvalidArgumentError for a connection string or options that are wrong. */
  constructor(uri: string, options: MongoClientOptions = {}) {
    super(uri, options, TRANSPORTS);
  }

  static async connect(uri: string, options: MongoClientOptions = {}): Promise<FlintClient> {
    return new FlintClient(uri, options).connect();
  }
}
