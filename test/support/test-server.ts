/**
 * One flintd for the tests of a file, and a driver connected to it.
 */
import { Db, MongoClient, type MongoClientOptions } from 'mongodb';
import { Program, type ProgramOptions } from './programs.ts';

export class TestServer {
  private running: Program | undefined;
  private connected: MongoClient | undefined;
  private databases = 0;
  private readonly endings: (() => Promise<void>)[] = [];

  get program(): Program {
    if (this.running === undefined) throw new Error('the server has not been started');
    return this.running;
  }

  get client(): MongoClient {
    if (this.connected === undefined) throw new Error('the client is not connected');
    return this.connected;
  }

  get uri(): string {
    return this.program.uri;
  }

  /** A database that no other test has used. */
  freshDatabase(): Db {
    this.databases += 1;
    return this.client.db(`test_${this.databases}`);
  }

  /** A further client. The caller closes it. */
  connect(options: MongoClientOptions = {}): Promise<MongoClient> {
    return new MongoClient(this.uri, { ...CLIENT_OPTIONS, ...options }).connect();
  }

  async start(options: ProgramOptions): Promise<void> {
    this.running = await Program.start(options);
    this.connected = await this.connect();
  }

  /** Closes other clients before the server ends: a client that has lost its server takes its time to close. */
  beforeStop(close: () => Promise<void>): void {
    this.endings.push(close);
  }

  async stop(): Promise<void> {
    for (const close of this.endings) await close();
    await this.connected?.close();
    await this.running?.dispose();
  }
}

const CLIENT_OPTIONS: MongoClientOptions = { serverSelectionTimeoutMS: 5_000 };

/** Starts a server before the tests of the enclosing describe, and ends it after them. */
export function serverForTests(options: ProgramOptions = {}): TestServer {
  const server = new TestServer();
  before('start flintd', () => server.start(options));
  after('end flintd', () => server.stop());
  return server;
}
