/**
 * Messages made once and sent many times: per operation only an `_id` (and, in inserts, the field `n`) is patched in place.
 *
 * Owns: the shape of the benchmark's documents and commands. The npm package bson is used to make them, never per operation.
 */
import { Int32, serialize } from 'bson';
import { encodeOpMsg } from '../../wire/index.ts';

/** Size of one benchmark document, bytes. */
export const DOCUMENT_BYTES = 1024;
export const DATABASE = 'bench';

/** Stands where a value is patched; found again by its bytes, so it must occur nowhere else. */
const PLACEHOLDER = 0x5a3c_69e1;

/** What one connection sends over and over. */
export interface PreparedMessage {
  readonly message: Buffer;
  /** Offsets of the int32 values of one document each: `_id`, then `n` (absent in a find). */
  readonly patches: readonly (readonly number[])[];
  /** Documents that one message asks for or brings. */
  readonly documents: number;
}

/** One document: `_id`, text, `n` in the middle, more text; exactly DOCUMENT_BYTES long. */
export function benchmarkDocument(id: number): Record<string, unknown> {
  const document: Record<string, unknown> = { _id: new Int32(id) };
  for (let field = 0; field < 5; field += 1) document[`field${field}`] = text(field);
  document['n'] = new Int32(id);
  for (let field = 5; field < 9; field += 1) document[`field${field}`] = text(field);
  document['padding'] = '';
  const missing = DOCUMENT_BYTES - serialize(document).length;
  return { ...document, padding: 'p'.repeat(missing) };
}

function text(seed: number): string {
  return 'abcdefghijklmnopqrstuvwxyz'.repeat(4).slice(seed, seed + 88);
}

/** find by `_id`, one document. */
export function prepareFind(collection: string): PreparedMessage {
  return locate(
    encodeCommand({
      find: collection,
      filter: { _id: new Int32(PLACEHOLDER) },
      limit: new Int32(1),
      singleBatch: true,
      $db: DATABASE,
    }),
    { perDocument: 1, documents: 1 },
  );
}

/** insert of one document, in the body, as the Node driver sends it. */
export function prepareInsert(collection: string, journaled: boolean): PreparedMessage {
  return locate(
    encodeCommand({
      insert: collection,
      documents: [benchmarkDocument(PLACEHOLDER)],
      ordered: true,
      writeConcern: journaled ? { w: new Int32(1), j: true } : { w: new Int32(1) },
      $db: DATABASE,
    }),
    { perDocument: 2, documents: 1 },
  );
}

/** insert of many documents, in a document sequence. */
export function prepareInsertMany(collection: string, documents: number): PreparedMessage {
  const document = Buffer.from(serialize(benchmarkDocument(PLACEHOLDER)));
  const message = encodeOpMsg({
    requestId: 1,
    body: Buffer.from(serialize({ insert: collection, ordered: true, $db: DATABASE })),
    sequences: [
      { identifier: 'documents', documents: Array.from({ length: documents }, () => document) },
    ],
  });
  return locate(message, { perDocument: 2, documents });
}

/** find on a field without an index: reads the whole collection, returns one document. */
export function prepareScan(collection: string): PreparedMessage {
  return locate(
    encodeCommand({ find: collection, filter: { n: new Int32(PLACEHOLDER) }, $db: DATABASE }),
    { perDocument: 1, documents: 1 },
  );
}

export function encodeCommand(command: Record<string, unknown>): Buffer {
  return encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(command)) });
}

function locate(
  message: Buffer,
  expected: { perDocument: number; documents: number },
): PreparedMessage {
  const pattern = Buffer.alloc(4);
  pattern.writeInt32LE(PLACEHOLDER);
  const offsets: number[] = [];
  for (let at = message.indexOf(pattern); at !== -1; at = message.indexOf(pattern, at + 4)) {
    offsets.push(at);
  }
  const patches: number[][] = [];
  for (let index = 0; index < offsets.length; index += expected.perDocument) {
    patches.push(offsets.slice(index, index + expected.perDocument));
  }
  if (patches.length !== expected.documents) throw new Error('placeholders are not where expected');
  return { message, patches, documents: expected.documents };
}

/** Writes the ids `firstId`, `firstId + 1`, ... into a message. */
export function patchIds(prepared: PreparedMessage, firstId: number): void {
  let id = firstId;
  for (const offsets of prepared.patches) {
    for (const offset of offsets) prepared.message.writeInt32LE(id, offset);
    id += 1;
  }
}
