/**
 * Drops that have begun: what was dropped is gone from the metadata, and some shards may still have it.
 *
 * Owns: config.pendingDrops. A document there is part of the change that takes a collection or a database from the metadata, and stays
 * until every shard has dropped its part, so that a restart goes on. Of a collection it has the UUID as _id, and shards drop by it: a
 * collection of the same name that was made meanwhile stays. Of a database it has the name: nobody makes the database again before.
 */
import { BsonType, documentOf, getField, stringValue, type RawValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { Expectation } from '../../server/index.ts';
import { uuidValue, type OperationContext } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';

const SET = 'pendingDrops';

export interface PendingDrop {
  readonly id: RawValue;
  /** Of a collection; of a database its name. */
  readonly namespace: string;
  readonly database: string;
  readonly isDatabase: boolean;
}

/** To be put with the change that takes the collection from the metadata. */
export function pendingCollection(namespace: string, uuid: string): Expectation {
  return pending(uuidValue(uuid), namespace);
}

/** To be put with the change that takes the database from the metadata. */
export function pendingDatabase(name: string): Expectation {
  return pending(stringValue(name), name);
}

function pending(id: RawValue, namespace: string): Expectation {
  return { key: { set: SET, id }, value: documentOf({ _id: id, ns: namespace }) };
}

/** @param database absent: those of all databases */
export async function pendingDrops(
  { catalog }: ConfigServer,
  op: OperationContext,
  database?: string,
): Promise<PendingDrop[]> {
  const documents = await catalog.read(op, `config.${SET}`);
  return documents
    .map((document) => {
      const [id, namespace] = [getField(document, '_id'), getField(document, 'ns')?.asString()];
      tassert(id !== undefined && namespace !== undefined, 'a pending drop lacks a field');
      const isDatabase = id.type === BsonType.string;
      const [name] = namespace.split('.', 1);
      return { id, namespace, database: name, isDatabase };
    })
    .filter((drop) => database === undefined || drop.database === database);
}

/** @throws CommandError DatabaseDropPending */
export async function checkNotBeingDropped(
  { catalog }: ConfigServer,
  database: string,
): Promise<void> {
  const known = await catalog.topology.get({ set: SET, id: stringValue(database) });
  if (known === undefined) return;
  throw new CommandError(
    'DatabaseDropPending',
    `The database ${database} is in the process of being dropped.`,
  );
}

/** Every shard has dropped it. */
export async function endDrop(
  { catalog }: ConfigServer,
  op: OperationContext,
  { id }: PendingDrop,
): Promise<void> {
  await catalog.change(op, { expected: [], puts: [{ key: { set: SET, id }, value: undefined }] });
}
