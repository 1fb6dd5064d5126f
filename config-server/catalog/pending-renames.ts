/**
 * Renames that have happened in the metadata, and that some shards may not have followed yet.
 *
 * Owns: config.pendingRenames. A document there is part of the change that renames, and stays until every shard has followed.
 */
import { documentOf, getField, type RawValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import type { Expectation } from '../../server/index.ts';
import { uuidValue, type OperationContext } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';

const SET = 'pendingRenames';

export interface RenamedNames {
  readonly from: string;
  readonly to: string;
}

/** To be put with the change that renames. */
export function pendingRename(uuid: string, { from, to }: RenamedNames): Expectation {
  const id = uuidValue(uuid);
  return { key: { set: SET, id }, value: documentOf({ _id: id, from, to }) };
}

export function pendingRenames(
  { catalog }: ConfigServer,
  op: OperationContext,
  filter?: Buffer,
): Promise<Buffer[]> {
  return catalog.read(op, `config.${SET}`, filter);
}

export function renamedNames(pending: Buffer): RenamedNames {
  return {
    from: required(pending, 'from').asString(),
    to: required(pending, 'to').asString(),
  };
}

/** Every shard gives what it has of the collection the new name; then nothing is left to do. Repeatable. */
export async function followRename(
  server: ConfigServer,
  op: OperationContext,
  pending: Buffer,
): Promise<void> {
  const id = required(pending, '_id');
  const { from, to } = renamedNames(pending);
  for (const shard of await server.catalog.shards(op)) {
    await server.askShard(op, shard, { _shardsvrRenameCollectionParticipant: from, to, uuid: id });
  }
  const key = { set: SET, id };
  await server.catalog.change(op, { expected: [], puts: [{ key, value: undefined }] });
}

/** Before the collection itself goes: shards that know it by its old name would drop what has the new one later. */
export async function finishRenameOf(
  server: ConfigServer,
  op: OperationContext,
  uuid: string,
): Promise<void> {
  const filter = documentOf({ _id: uuidValue(uuid) });
  for (const pending of await pendingRenames(server, op, filter)) {
    await followRename(server, op, pending);
  }
}

function required(document: Buffer, name: string): RawValue {
  const value = getField(document, name);
  tassert(value !== undefined, 'a rename: a document lacks a field');
  return value;
}
