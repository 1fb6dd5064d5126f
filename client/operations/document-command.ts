/**
 * Commands whose documents are BSON already: for tools that carry documents from one place to another without reading them.
 */
import type { Document } from 'bson';
import type { BaseClient } from '../client.ts';
import type { DocumentSequence } from '../transport/contract.ts';
import { Deadline } from './deadline.ts';
import { execute } from './execute.ts';

export interface DocumentCommand {
  readonly database: string;
  /** The command's other fields, its name first. */
  readonly command: Document;
  /** Sent as they are. The caller keeps them within the server's limits of one message. */
  readonly documents: DocumentSequence;
}

/**
 * Runs a write whose documents (of an insert), or statements (of an update or a delete), are bytes.
 * @returns the reply, write errors and write concern error included. @throws as every operation when the command failed.
 */
export async function runDocumentCommand(
  client: BaseClient,
  { database, command, documents }: DocumentCommand,
): Promise<Document> {
  const { reply } = await execute(client, {
    name: Object.keys(command)[0] ?? '',
    database,
    build: () => ({ command, sequences: [documents] }),
    kind: 'write',
    mayRetry: true,
    decode: 'document',
    bson: {},
    writeConcern: client.writeConcern,
    deadline: Deadline.in(client.clock, client.timeoutMS),
    keepsWriteConcernError: true,
  });
  return reply;
}
