/**
 * The SDK in the place of the official driver: the same names, and no objection to options that only the driver's own tests
 * and logs know.
 */
import { FlintClient, type MongoClientOptions } from '../../../client/index.ts';

export * from '../../../client/index.ts';

const ONLY_THE_DRIVERS = [
  '__skipPingOnConnect',
  'mongodbLogComponentSeverities',
  'mongodbLogMaxDocumentLength',
  'mongodbLogPath',
];

export class MongoClient extends FlintClient {
  constructor(uri: string, options: MongoClientOptions = {}) {
    const known = Object.entries(options).filter(([name]) => !ONLY_THE_DRIVERS.includes(name));
    super(uri, Object.fromEntries(known));
  }
}
