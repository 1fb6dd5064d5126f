/**
 * applyOps: applies entries of an oplog in one transaction: inserts, updates, deletes. Tools that restore, and tests, use it.
 *
 * Entries say what shall be, so that one applied twice changes nothing: an insert replaces, a delete may find nothing. What
 * changes the catalog has commands of its own and is refused by name, and so are updates in the oplog's own language of
 * differences ($v: 2), which only members of a replica set write.
 * Source: MongoDB's manual, "applyOps".
 */
import { BsonType, documentOf, EMPTY_DOCUMENT, getField } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileUpdate } from '../../../query/index.ts';
import type { CollectionDescription, MaybePromise, Transaction } from '../../../storage/index.ts';
import {
  checkWritable,
  collectionForWrite,
  requireCollection,
  wholeNamespace,
} from '../../catalog/namespace.ts';
import { documentToInsert } from '../../catalog/stored-document.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { findFirst, writeTarget, type FoundRecord } from '../crud/matching-records.ts';
import { queryContext } from '../crud/query-context.ts';
import { RecordWriter } from '../crud/record-writer.ts';

interface Entry {
  readonly kind: 'i' | 'u' | 'd' | 'n';
  readonly namespace: string;
  /** The document, the change, or for a delete the filter. */
  readonly object: Buffer;
  /** An update's filter. */
  readonly filter: Buffer;
  readonly upsert: boolean;
}

const KINDS = ['i', 'u', 'd', 'n'] as const;

export const applyOps = defineCommand({
  name: 'applyOps',
  help: 'Applies entries of an oplog: inserts, updates and deletes, together or not at all.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'anyAction', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  parse: (body) => {
    if (body.target.type !== BsonType.array) {
      throw body.wrongType('applyOps', body.target, "expected type 'array'");
    }
    body.safeBoolean('alwaysUpsert', false);
    body.safeBoolean('allowAtomic', true);
    body.ignore('oplogApplicationMode');
    body.refuse('preCondition', 'prepare', 'partialTxn', 'count');
    return body.elementsOf('applyOps', body.target).map((entry) => parseEntry(entry, body));
  },
  execute: (entries, op) =>
    op.transact(async (transaction) => {
      for (const entry of entries) await apply(op, transaction, entry);
      return entries.length;
    }),
  reply: (applied) => ({ applied, results: Array<boolean>(applied).fill(true) }),
});

function parseEntry(bytes: Buffer, parent: CommandBody): Entry {
  const body = nestedBody('applyOps', bytes, parent);
  const code = body.string('op');
  const kind = KINDS.find((each) => each === code);
  if (kind === undefined) {
    throw new CommandError(
      code === 'c' ? 'NotImplemented' : 'BadValue',
      code === 'c'
        ? 'applyOps of commands (op: "c") is not supported by FlintDB: send the commands themselves'
        : `Enumeration value '${code}' for field 'applyOps.op' is not a valid value.`,
    );
  }
  const entry = {
    kind,
    namespace: kind === 'n' ? '' : wholeNamespace(body.string('ns')),
    object: body.document('o'),
    filter: body.document('o2', EMPTY_DOCUMENT),
    upsert: body.safeBoolean('b', false),
  };
  // What members of a set write beside it: when, in which term, of which collection and session.
  body.ignore('ns', 'ui', 'v', 'ts', 't', 'h', 'wall', 'lsid', 'txnNumber', 'stmtId', 'prevOpTime');
  body.rejectUnknownFields();
  return entry;
}

function apply(op: OperationContext, transaction: Transaction, entry: Entry): MaybePromise<void> {
  if (entry.kind === 'n') return undefined;
  checkWritable(entry.namespace);
  switch (entry.kind) {
    case 'i':
      return insert(op, transaction, entry);
    case 'u':
      return update(op, transaction, entry);
    case 'd':
      return remove(op, transaction, entry);
  }
}

function find(
  op: OperationContext,
  transaction: Transaction,
  collection: CollectionDescription,
  filter: Buffer,
): MaybePromise<FoundRecord | undefined> {
  const request = { namespace: collection.namespace, filter };
  return findFirst(op, transaction, collection, writeTarget(request, queryContext(op)));
}

async function insert(op: OperationContext, transaction: Transaction, entry: Entry): Promise<void> {
  const collection = collectionForWrite(transaction, entry.namespace);
  const writer = new RecordWriter(op, transaction, collection, { bypassValidation: true });
  const document = documentToInsert(entry.object, op.service.stamps, true);
  const id = getField(document, '_id');
  const filter = id === undefined ? undefined : documentOf({ _id: documentOf({ $eq: id }) });
  const found = filter && (await find(op, transaction, collection, filter));
  if (found === undefined) writer.insert(document);
  else writer.update(found.recordId, found.document, document);
}

async function update(op: OperationContext, transaction: Transaction, entry: Entry): Promise<void> {
  const { object, filter } = entry;
  if (getField(object, 'diff') !== undefined) {
    throw new CommandError(
      'NotImplemented',
      'applyOps of an update in differences ($v: 2) is not supported by FlintDB yet',
    );
  }
  const collection = requireCollection(transaction, entry.namespace);
  const writer = new RecordWriter(op, transaction, collection, { bypassValidation: true });
  const found = await find(op, transaction, collection, filter);
  const change = documentOf({ u: object });
  const value = getField(change, 'u');
  if (value === undefined) return;
  const context = queryContext(op);
  const compiled = compileUpdate(value, { context, upsert: entry.upsert, multi: false });
  if (found !== undefined) {
    const after = compiled.apply(found.document);
    if (after !== found.document) writer.update(found.recordId, found.document, after);
    return;
  }
  if (!entry.upsert) {
    throw new CommandError(
      'NoMatchingDocument',
      'Unable to find the document that an update of applyOps is for',
    );
  }
  writer.insert(documentToInsert(compiled.upsertDocument(filter), op.service.stamps, true));
}

async function remove(op: OperationContext, transaction: Transaction, entry: Entry): Promise<void> {
  const collection = transaction.collection(entry.namespace);
  if (collection === undefined) return;
  const found = await find(op, transaction, collection, entry.object);
  if (found === undefined) return;
  new RecordWriter(op, transaction, collection).delete(found.recordId, found.document);
}
