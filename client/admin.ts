/**
 * Commands of the server as a whole: db.admin().
 */
import type { Document } from 'bson';
import { fieldsFrom, type Scope } from './operations/scope.ts';
import type { CommandOperationOptions, ListDatabasesOptions } from './types/options.ts';
import type { ListDatabasesResult } from './types/results.ts';

export class Admin {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  command(command: Document, options: CommandOperationOptions = {}): Promise<Document> {
    return this.#scope.run(command, { ...options, dbName: 'admin' }, { kind: 'other' });
  }

  buildInfo(options: CommandOperationOptions = {}): Promise<Document> {
    return this.command({ buildinfo: 1 }, options);
  }

  serverInfo(options: CommandOperationOptions = {}): Promise<Document> {
    return this.command({ buildinfo: 1 }, options);
  }

  serverStatus(options: CommandOperationOptions = {}): Promise<Document> {
    return this.command({ serverStatus: 1 }, options);
  }

  replSetGetStatus(options: CommandOperationOptions = {}): Promise<Document> {
    return this.command({ replSetGetStatus: 1 }, options);
  }

  ping(options: CommandOperationOptions = {}): Promise<Document> {
    return this.command({ ping: 1 }, options);
  }

  async removeUser(username: string, options: CommandOperationOptions = {}): Promise<boolean> {
    await this.command({ dropUser: username }, options);
    return true;
  }

  async validateCollection(
    name: string,
    options: CommandOperationOptions & Document = {},
  ): Promise<Document> {
    const command = {
      validate: name,
      ...fieldsFrom(options, [
        'full',
        'background',
        'scandata',
        'repair',
        'metadata',
        'comment',
        'maxTimeMS',
      ]),
    };
    return this.#scope.run(command, options, { kind: 'other', ignoresRaw: true });
  }

  listDatabases(options: ListDatabasesOptions = {}): Promise<ListDatabasesResult> {
    return listDatabases(this.#scope, options);
  }
}

export async function listDatabases(
  scope: Scope,
  options: ListDatabasesOptions,
): Promise<ListDatabasesResult> {
  const command = {
    listDatabases: 1,
    ...fieldsFrom(options, ['filter', 'nameOnly', 'authorizedDatabases', 'comment', 'maxTimeMS']),
  };
  const { databases, ok, ...sizes } = await scope.run(
    command,
    { ...options, dbName: 'admin' },
    { kind: 'read', ignoresRaw: true },
  );
  return { databases, ok, ...sizes };
}
