/**
 * Reads a whole answer: a find whose documents all fit into memory, as those of the config server do.
 */
import {
  documentOf,
  fieldsOf,
  getField,
  int64Value,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { RemoteServer } from './remote-server.ts';

export interface SmallFind {
  readonly database: string;
  readonly collection: string;
  readonly filter: Buffer;
  readonly sort?: Buffer;
  readonly projection?: Buffer;
}

/** Documents are views into replies: who keeps one for long copies it. */
export async function readAll(
  server: RemoteServer,
  interruption: Interruption,
  { database, collection, filter, sort, projection }: SmallFind,
): Promise<Buffer[]> {
  const find = documentOf({
    find: collection,
    filter,
    sort,
    projection,
    // As many as a reply takes.
    batchSize: 1_000_000,
    readConcern: documentOf({ level: 'local' }),
    $db: database,
  });
  return readCursor(server, interruption, find);
}

/** All documents of a command that answers with a cursor. */
export async function readCursor(
  server: RemoteServer,
  interruption: Interruption,
  command: Buffer,
): Promise<Buffer[]> {
  const documents: Buffer[] = [];
  let answer = cursorOf(await server.command(command, interruption, { isRepeatable: true }));
  for (;;) {
    documents.push(...answer.documents);
    if (answer.id === 0n) return documents;
    const more = documentOf({
      getMore: int64Value(answer.id),
      collection: collectionOf(answer.namespace),
      $db: databaseOf(answer.namespace),
    });
    answer = cursorOf(await server.command(more, interruption));
  }
}

/** The cursor of a reply. */
export interface RemoteBatch {
  readonly id: bigint;
  readonly namespace: string;
  readonly documents: readonly Buffer[];
}

/** @param reply of a find, aggregate, getMore, listCollections, listIndexes */
export function cursorOf(reply: Buffer): RemoteBatch {
  const cursor = getField(reply, 'cursor');
  tassert(cursor !== undefined, 'a reply has no cursor');
  const body = cursor.asDocument();
  const batch = getField(body, 'firstBatch') ?? getField(body, 'nextBatch');
  const id = getField(body, 'id');
  tassert(batch !== undefined && id !== undefined, 'a cursor has no batch');
  return {
    id: id.asInt64(),
    namespace: (getField(body, 'ns') ?? NO_NAME).asString(),
    documents: Array.from(fieldsOf(batch.asDocument()), ([, value]: [string, RawValue]) =>
      value.asDocument(),
    ),
  };
}

const NO_NAME = stringValue('');

export function databaseOf(namespace: string): string {
  const dot = namespace.indexOf('.');
  return dot < 0 ? namespace : namespace.slice(0, dot);
}

export function collectionOf(namespace: string): string {
  return namespace.slice(namespace.indexOf('.') + 1);
}
