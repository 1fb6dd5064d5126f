/**
 * Makes a collection, view or time series as a description says: its options, then, after the documents, its indexes.
 *
 * Promises: values keep their types and fields their order; what the target refuses is thrown with the namespace's name.
 */
import type { Document } from 'bson';
import { deserialize } from 'bson';
import { BsonType, DocumentBuilder, fieldsOf, getField, type RawValue } from '../../bson/index.ts';
import { MongoServerError, type BaseClient } from '../../client/index.ts';
import type { Namespace } from '../command-line/namespace-filter.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { listIndexes, type NamespaceKind } from './namespaces.ts';

/** What of a description is needed to make it. */
export interface NamespaceDefinition extends Namespace {
  readonly kind: NamespaceKind;
  readonly options: Buffer;
  readonly indexes: readonly Buffer[];
}

const NAMESPACE_NOT_FOUND = 26;
/** What create does not take back, or has no meaning elsewhere. */
const NOT_CREATED: ReadonlySet<string> = new Set(['uuid', 'autoIndexId', 'temp']);

export async function createNamespace(
  client: BaseClient,
  definition: NamespaceDefinition,
): Promise<void> {
  const { database, collection, kind, options, indexes } = definition;
  const idIndex = indexes.find(isIdIndex);
  const command: Document = { create: collection };
  for (const [name, value] of fieldsOf(options)) {
    if (!NOT_CREATED.has(name)) command[name] = plainValue(value);
  }
  // Only create can give the _id index its options; a clustered collection and a time series have none.
  if (kind === 'collection' && idIndex !== undefined) command['idIndex'] = specification(idIndex);
  await run(client, definition, command, 'create');
  if (kind === 'timeseries') await dropUnlisted(client, { database, collection }, indexes);
}

/** All but the _id index, in one command. @returns how many. */
export async function createIndexes(
  client: BaseClient,
  definition: NamespaceDefinition,
): Promise<number> {
  const { collection, options } = definition;
  const inherits = getField(options, 'collation') !== undefined;
  const wanted = definition.indexes.filter((index) => !isIdIndex(index) && !isClustered(index));
  if (wanted.length === 0) return 0;
  const indexes = wanted.map((index) => {
    const made = specification(index);
    // Without a collation it would take the collection's; where the source shows none, it has the simple one.
    if (inherits && !made.has('collation')) made.set('collation', { locale: 'simple' });
    return made;
  });
  await run(client, definition, { createIndexes: collection, indexes }, 'make the indexes of');
  return wanted.length;
}

/** @returns whether there was one. */
export async function dropNamespace(
  client: BaseClient,
  { database, collection }: Namespace,
): Promise<boolean> {
  try {
    await client.db(database).command({ drop: collection });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND) return false;
    throw error;
  }
}

async function run(
  client: BaseClient,
  { database, collection }: Namespace,
  command: Document,
  verb: string,
): Promise<void> {
  try {
    await client.db(database).command(command);
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error;
    throw new FailedCommand(`cannot ${verb} ${database}.${collection}: ${error.message}`);
  }
}

/** A new time series has an index of its own, which the source may have lost. */
async function dropUnlisted(
  client: BaseClient,
  namespace: Namespace,
  listed: readonly Buffer[],
): Promise<void> {
  const names = new Set(listed.map(indexNameOf));
  for (const index of await listIndexes(client, namespace)) {
    const name = indexNameOf(index);
    if (!names.has(name)) {
      await client
        .db(namespace.database)
        .command({ dropIndexes: namespace.collection, index: name });
    }
  }
}

export function indexNameOf(index: Buffer): string {
  return getField(index, 'name')?.asString() ?? '';
}

function isIdIndex(index: Buffer): boolean {
  return indexNameOf(index) === '_id_' && !isClustered(index);
}

function isClustered(index: Buffer): boolean {
  return getField(index, 'clustered') !== undefined;
}

/** An index as createIndexes takes it: without what only older servers show. */
function specification(index: Buffer): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [name, value] of fieldsOf(index)) {
    if (name !== 'ns' && name !== 'background' && name !== 'safe')
      fields.set(name, plainValue(value));
  }
  return fields;
}

/** A document for a command: its top-level names are no numbers. */
export function plainDocument(document: Buffer): Document {
  return Object.fromEntries(
    [...fieldsOf(document)].map(([name, value]) => [name, plainValue(value)]),
  );
}

/** A value for a command: maps keep the order of fields that look like numbers, classes of BSON keep types. */
export function plainValue(value: RawValue): unknown {
  if (value.type === BsonType.object) {
    return new Map(
      [...fieldsOf(value.asDocument())].map(([name, field]) => [name, plainValue(field)]),
    );
  }
  if (value.type === BsonType.array) {
    return [...fieldsOf(value.asDocument())].map(([, element]) => plainValue(element));
  }
  const alone = new DocumentBuilder().append('v', value).finish();
  const { v } = deserialize(alone, { promoteValues: false, bsonRegExp: true });
  return v;
}
