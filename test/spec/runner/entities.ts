/**
 * The entities of one case: clients, databases, collections, sessions, buckets, threads, cursors, and saved results.
 *
 * Owns: them all; `close` ends what they hold open, in reverse.
 */
import { ClientSession, Db, GridFSBucket, ReadConcern, WriteConcern, type Document } from 'mongodb';
import { CursorEntity } from './cursor-entity.ts';
import { MalformedCaseError, type EntityDefinition } from './format.ts';
import type { MatchContext } from './match.ts';
import { ObservedClient } from './observed-client.ts';
import { Thread } from './thread.ts';

export class Entities implements MatchContext {
  private readonly uri: string;
  private readonly byName = new Map<string, unknown>();

  /** @param uri of the server that client entities connect to. */
  constructor(uri: string) {
    this.uri = uri;
  }

  async create(definitions: readonly EntityDefinition[]): Promise<void> {
    for (const definition of definitions) {
      const [[kind, options]] = Object.entries(definition);
      this.add(String(options['id']), await this.build(kind, options));
    }
  }

  /** @throws MalformedCaseError when the name is taken. */
  add(name: string, entity: unknown): void {
    if (this.byName.has(name)) throw new MalformedCaseError(`entity '${name}' is there already`);
    this.byName.set(name, entity);
  }

  /** @throws MalformedCaseError when there is none. */
  get(name: string): unknown {
    if (!this.byName.has(name)) throw new MalformedCaseError(`there is no entity '${name}'`);
    return this.byName.get(name);
  }

  client(name: unknown): ObservedClient {
    return this.ofClass(name, ObservedClient);
  }

  session(name: unknown): ClientSession {
    return this.ofClass(name, ClientSession);
  }

  thread(name: unknown): Thread {
    return this.ofClass(name, Thread);
  }

  entityValue = (name: string): unknown => this.get(name);

  sessionId = (name: string): unknown => this.session(name).id;

  /** Ends sessions and cursors, then closes the clients. */
  async close(): Promise<void> {
    const entities = [...this.byName.values()].reverse();
    for (const entity of entities) {
      if (entity instanceof CursorEntity) await entity.close().catch(() => undefined);
      if (entity instanceof ClientSession) await entity.endSession().catch(() => undefined);
    }
    for (const entity of entities) {
      if (entity instanceof ObservedClient) await entity.client.close();
    }
  }

  private ofClass<T>(name: unknown, kind: abstract new (...args: never[]) => T): T {
    if (typeof name !== 'string') throw new MalformedCaseError(`a ${kind.name} must be named`);
    const entity = this.get(name);
    if (entity instanceof kind) return entity;
    throw new MalformedCaseError(`entity '${name}' is no ${kind.name}`);
  }

  private async build(kind: string, options: Document): Promise<unknown> {
    switch (kind) {
      case 'client': {
        const client = new ObservedClient(this.uri, options);
        await client.open();
        return client;
      }
      case 'database': {
        const { client } = this.client(options['client']);
        return client.db(options['databaseName'], namespaceOptions(options['databaseOptions']));
      }
      case 'collection': {
        const database = this.ofClass(options['database'], Db);
        const namespace = namespaceOptions(options['collectionOptions']);
        return database.collection(options['collectionName'], namespace);
      }
      case 'session': {
        const { client } = this.client(options['client']);
        return client.startSession(this.sessionOptions(options['sessionOptions']));
      }
      case 'bucket':
        return new GridFSBucket(this.ofClass(options['database'], Db), options['bucketOptions']);
      case 'thread':
        return new Thread();
      default:
        throw new MalformedCaseError(`entities of kind '${kind}' are not known`);
    }
  }

  private sessionOptions(options: Document | undefined): Document {
    const snapshotTime: unknown = options?.['snapshotTime'];
    if (typeof snapshotTime !== 'string') return options ?? {};
    return { ...options, snapshotTime: this.get(snapshotTime) };
  }
}

/** Options of databases and collections, as the driver's classes. */
export function namespaceOptions(options: Document | undefined): Document {
  if (options === undefined) return {};
  return {
    ...options,
    ...(options['readConcern'] && { readConcern: ReadConcern.fromOptions(options) }),
    ...(options['writeConcern'] && { writeConcern: WriteConcern.fromOptions(options) }),
  };
}
