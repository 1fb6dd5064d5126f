/**
 * The operations of a bulkWrite: reads and checks them, before the first one runs.
 *
 * Each becomes a statement of the command that it is an operation of, so that nothing is done in two ways.
 * Source: MongoDB's manual, "bulkWrite (database command)".
 */
import { type RawValue, firstFieldName } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { wholeNamespace } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { DeleteStatement } from './delete.ts';
import { hintIn } from './statement.ts';
import type { UpdateStatement } from './update.ts';

/** An operation, and the namespace that it works on. */
export type BulkOperation = { readonly namespace: string } & (
  | { readonly kind: 'insert'; readonly document: Buffer }
  | { readonly kind: 'update'; readonly statement: UpdateStatement }
  | { readonly kind: 'delete'; readonly statement: DeleteStatement }
);

/** The namespaces of `nsInfo`. @throws CommandError InvalidNamespace */
export function parseNamespaces(body: CommandBody): readonly string[] {
  return body.documents('nsInfo').map((bytes) => {
    const entry = nestedBody('bulkWrite.nsInfo', bytes, body);
    const namespace = entry.string('ns');
    entry.refuse('collectionUUID', 'encryptionInformation', 'isTimeseriesNamespace');
    entry.refuse('shardVersion', 'databaseVersion');
    entry.rejectUnknownFields();
    try {
      return wholeNamespace(namespace);
    } catch {
      throw new CommandError(
        'InvalidNamespace',
        `Invalid namespace specified for bulkWrite: '${namespace}'`,
      );
    }
  });
}

/** Reads one entry of `ops`. @throws CommandError for what is malformed in any of them: then none has run. */
export function parseOperation(
  bytes: Buffer,
  namespaces: readonly string[],
  parent: CommandBody,
): BulkOperation {
  const body = nestedBody('bulkWrite.ops', bytes, parent);
  const kind = firstFieldName(bytes) ?? '';
  const parse = PARSERS.get(kind);
  if (parse === undefined) {
    throw new CommandError(
      'IDLUnknownField',
      `BSON field 'bulkWrite.ops.${kind}' is an unknown field.`,
    );
  }
  const index = body.integer(kind, 0, 0);
  const operation = parse(body);
  body.rejectUnknownFields();
  if (index < namespaces.length) return { ...operation, namespace: namespaces[index] };
  throw new CommandError('BadValue', 'BulkWrite ops entry has an invalid nsInfo index.');
}

type WithoutNamespace =
  | { readonly kind: 'insert'; readonly document: Buffer }
  | { readonly kind: 'update'; readonly statement: UpdateStatement }
  | { readonly kind: 'delete'; readonly statement: DeleteStatement };

const PARSERS: ReadonlyMap<string, (body: CommandBody) => WithoutNamespace> = new Map([
  ['insert', parseInsert],
  ['update', parseUpdate],
  ['delete', parseDelete],
]);

function parseInsert(body: CommandBody): WithoutNamespace {
  return { kind: 'insert', document: body.document('document') };
}

function parseUpdate(body: CommandBody): WithoutNamespace {
  const update = requiredValue(body, 'updateMods');
  const statement: UpdateStatement = {
    filter: body.document('filter'),
    update,
    constants: body.document('constants', undefined),
    multi: body.boolean('multi', false),
    upsert: body.boolean('upsert', false),
    collation: body.document('collation', undefined),
    arrayFilters: body.documents('arrayFilters', undefined),
    hint: hintIn(body),
    sort: body.document('sort', undefined),
  };
  body.refuse('sampleId', 'upsertSupplied');
  return { kind: 'update', statement };
}

function parseDelete(body: CommandBody): WithoutNamespace {
  const statement: DeleteStatement = {
    filter: body.document('filter'),
    isMulti: body.boolean('multi', false),
    collation: body.document('collation', undefined),
    hint: hintIn(body),
  };
  body.refuse('sampleId');
  return { kind: 'delete', statement };
}

function requiredValue(body: CommandBody, name: string): RawValue {
  const value = body.value(name);
  if (value === undefined) throw body.missing(name);
  return value;
}
