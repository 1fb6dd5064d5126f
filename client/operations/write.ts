/**
 * insert, update and delete with one statement.
 */
import type { Document } from 'bson';
import { encodeDocument } from '../documents/bson-options.ts';
import { MongoServerError } from '../errors/mongo-error.ts';
import type { BulkWriteOptions } from '../types/options.ts';
import { execute } from './execute.ts';
import { explained, explainVerbosity } from './explain.ts';
import { fieldsFrom, type Scope } from './scope.ts';

const FIELD = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

export interface WriteRequest {
  readonly name: keyof typeof FIELD;
  /** Documents to insert, or statements. */
  readonly documents: readonly Document[];
  readonly mayRetry: boolean;
}

export interface WriteReply {
  readonly reply: Document;
  readonly acknowledged: boolean;
}

/** @throws MongoServerError for a statement's error as for the command's, MongoWriteConcernError. */
export async function runWrite(
  scope: Scope,
  { name, documents, mayRetry }: WriteRequest,
  options: BulkWriteOptions,
): Promise<WriteReply> {
  const command: Document = {
    [name]: scope.collection,
    ordered: options.ordered !== false,
    ...fieldsFrom(options, ['bypassDocumentValidation', 'comment', 'let', 'maxTimeMS', 'rawData']),
  };
  const isExplained = explainVerbosity(options.explain) !== undefined;
  const bson = scope.bsonOptions(options);
  const request = scope.requestFor(
    name,
    () =>
      isExplained
        ? { command: explained({ ...command, [FIELD[name]]: documents }, options.explain) }
        : {
            command,
            sequences: [
              {
                field: FIELD[name],
                documents: documents.map((document) => encodeDocument(document, bson)),
              },
            ],
          },
    options,
    {
      kind: isExplained ? 'read' : 'write',
      mayRetry,
      takesWriteConcern: !isExplained,
      ignoresRaw: true,
    },
  );
  const { reply } = await execute(scope.client, request);
  const errors: readonly Document[] = reply['writeErrors'] ?? [];
  const [first] = errors;
  if (first !== undefined) throw new MongoServerError(first);
  return { reply, acknowledged: scope.writeConcern(options)?.w !== 0 };
}
