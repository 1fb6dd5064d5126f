/**
 * _configsvrRefineCollectionShardKey: a shard key gets further fields behind those that it has.
 *
 * No document moves: bounds of chunks and zones get MinKey for the new fields, so that each key stays where it is. The collection gets
 * another generation, so that whoever knows the old key is refused and reads again; a migration that is under way is not committed.
 * Source: MongoDB's manual, "refineCollectionShardKey".
 */
import {
  dateValue,
  documentOf,
  documentValue,
  getField,
  inspect,
  objectIdValue,
  setField,
  stringValue,
  unsetField,
} from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { Expectation } from '../../server/index.ts';
import {
  defineCommand,
  ShardKeyPattern,
  uuidValue,
  type CollectionRouting,
  type Command,
  type OperationContext,
} from '../../server/cluster.ts';
import { idOf } from '../catalog/chunk-documents.ts';
import { refreshShards } from '../catalog/refresh-shards.ts';
import { requireSharded } from '../catalog/required-routing.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

interface RefineRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly checksUniqueness: boolean;
}

export function refineCollectionShardKey(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrRefineCollectionShardKey',
      'Adds fields to a shard key.',
      'refineCollectionShardKey',
    ),
    parse: (body): RefineRequest => {
      body.refuse('collectionUUID');
      return {
        namespace: namespaceIn(body),
        pattern: ShardKeyPattern.parse(body.document('key')),
        checksUniqueness: body.safeBoolean('enforceUniquenessCheck', true),
      };
    },
    execute: (request, op) => refine(server(), op, request),
    reply: () => ({}),
  });
}

async function refine(
  server: ConfigServer,
  op: OperationContext,
  request: RefineRequest,
): Promise<void> {
  const { namespace } = request;
  const holders = await server.locks.run(namespace, () =>
    server.locks.run(`chunks of ${namespace}`, () => change(server, op, request)),
  );
  const shards = (await server.catalog.shards(op)).filter(({ name }) => holders.includes(name));
  await refreshShards(server, shards, namespace);
}

/** @returns names of the shards that have chunks, unless all is as it should be */
async function change(
  server: ConfigServer,
  op: OperationContext,
  request: RefineRequest,
): Promise<readonly string[]> {
  const { namespace, pattern } = request;
  const { catalog } = server;
  const routing = await requireSharded(server, op, namespace);
  const before = routing.entry.pattern;
  if (before.pattern.equals(pattern.pattern)) return [];
  uassert(
    pattern.isExtensionOf(before),
    'InvalidOptions',
    `refineCollectionShardKey shard key ${inspect(pattern.pattern)} does not extend the current shard key ${inspect(before.pattern)}`,
  );
  await checkIndexes(server, op, request, routing);
  const { entry, puts, expected } = await refined(server, op, pattern, routing);
  if (await catalog.change(op, { expected, puts }, entry)) return routing.chunks.shards();
  throw new CommandError('ConflictingOperationInProgress', `${namespace} changed meanwhile`);
}

async function checkIndexes(
  server: ConfigServer,
  op: OperationContext,
  { namespace, pattern, checksUniqueness }: RefineRequest,
  { entry, chunks }: CollectionRouting,
): Promise<void> {
  for (const name of chunks.shards()) {
    const shard = await server.catalog.shard(op, name);
    await server.askShard(op, shard, {
      _shardsvrCheckShardKeyIndex: namespace,
      uuid: uuidValue(entry.uuid),
      key: pattern.pattern,
      unique: entry.isUnique && checksUniqueness,
    });
  }
}

/** All documents of the collection's metadata with the new key. */
async function refined(
  { catalog, host }: ConfigServer,
  op: OperationContext,
  pattern: ShardKeyPattern,
  { entry: { namespace, uuid, pattern: before } }: CollectionRouting,
) {
  const key = { set: 'collections', id: stringValue(namespace) };
  const collection = await catalog.topology.get(key);
  tassert(collection !== undefined, 'a sharded collection without its document');
  let value = setField(collection, 'key', documentValue(pattern.pattern));
  const { stamps, clock } = host.service;
  value = setField(value, 'lastmodEpoch', objectIdValue(stamps.objectIds.next()));
  value = setField(value, 'lastmod', dateValue(clock.wallMs()));
  value = setField(value, 'timestamp', catalog.newTimestamp());
  const puts: Expectation[] = [{ key, value }];
  const chunks = await catalog.read(op, 'config.chunks', documentOf({ uuid: uuidValue(uuid) }));
  for (const document of chunks) {
    const whole = unsetField(withExtendedBounds(document, pattern), 'jumbo');
    puts.push({ key: { set: 'chunks', id: idOf(document) }, value: whole });
  }
  for (const document of await catalog.read(op, 'config.tags', documentOf({ ns: namespace }))) {
    const extended = withExtendedBounds(document, pattern);
    puts.push({ key: { set: 'tags', id: idOf(document) }, value: extended });
  }
  const details = documentOf({ oldKey: before.pattern, newKey: pattern.pattern });
  return {
    puts,
    expected: [{ key, value: collection }],
    entry: { what: 'refineCollectionShardKey', namespace, details },
  };
}

function withExtendedBounds(document: Buffer, pattern: ShardKeyPattern): Buffer {
  let extended = document;
  for (const name of ['min', 'max'] as const) {
    const bound = getField(document, name)?.asDocument();
    tassert(bound !== undefined, 'a chunk or a zone without bounds');
    extended = setField(extended, name, documentValue(pattern.extendedBound(bound)));
  }
  return extended;
}
