/**
 * _configsvrCommitChunkMigration: the range is the recipient's from now on. The one step at which a migration happens.
 *
 * The donor asks for it within its critical section. The moved chunk gets the next major version, and so does what the donor keeps, so
 * that whoever routed by the old one is refused by both. Asking again for what has happened already succeeds, so a donor that did
 * not hear the answer asks again.
 */
import { BsonType, documentOf, getField, inspect, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type Expectation } from '../../server/index.ts';
import {
  comparePlacements,
  defineCommand,
  pauseAtStep,
  placementOf,
  ShardVersion,
  type Chunk,
  type Command,
  type KeyTextRange,
  type OperationContext,
  type Placement,
} from '../../server/cluster.ts';
import { chunkDocuments, chunkPut, historyOf, idOf } from '../catalog/chunk-documents.ts';
import { shardAsItIs } from '../catalog/databases.ts';
import { replaceChunks, type ChunkChange, type ChunksFound } from '../catalog/replace-chunks.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

interface CommitRequest {
  readonly namespace: string;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly fromShard: string;
  readonly toShard: string;
  /** Of the collection as the donor knew it: another generation refuses. */
  readonly version: ShardVersion;
  /** Of the chunk as the donor knew it: one that has changed since is not given over. */
  readonly chunkVersion: Placement;
}

export function commitChunkMigration(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrCommitChunkMigration',
      'Gives a migrated range to its new shard.',
      'internal',
    ),
    parse: (body): CommitRequest => ({
      namespace: namespaceIn(body),
      min: body.document('min'),
      max: body.document('max'),
      fromShard: body.string('fromShard'),
      toShard: body.string('toShard'),
      version: parseVersion(body.value('fromShardCollectionVersion')),
      chunkVersion: parsePlacement(body.value('chunkVersion')),
    }),
    execute: (request, op) => commit(server(), op, request),
    reply: () => ({}),
  });
}

function parseVersion(value: RawValue | undefined): ShardVersion {
  if (value !== undefined) return ShardVersion.parse(value, 'fromShardCollectionVersion');
  throw new CommandError('IDLFailedToParse', "BSON field 'fromShardCollectionVersion' is missing");
}

function parsePlacement(value: RawValue | undefined): Placement {
  if (value?.type === BsonType.timestamp) return placementOf(value);
  throw new CommandError('TypeMismatch', "BSON field 'chunkVersion' is missing or no timestamp");
}

async function commit(
  server: ConfigServer,
  op: OperationContext,
  request: CommitRequest,
): Promise<void> {
  const { namespace, min, max } = request;
  await pauseAtStep(op, 'hangBeforeCommitChunkMigration');
  await replaceChunks(
    server,
    op,
    namespace,
    ({ entry }): KeyTextRange => ({
      min: entry.pattern.boundText(min),
      max: entry.pattern.boundText(max),
    }),
    (found) => commitPlan(server, op, request, found),
  );
  await pauseAtStep(op, 'hangAfterCommitChunkMigration');
}

async function commitPlan(
  server: ConfigServer,
  op: OperationContext,
  request: CommitRequest,
  found: ChunksFound,
): Promise<ChunkChange | undefined> {
  const { namespace, min, max, fromShard, toShard, version } = request;
  const { routing, chunks, documents } = found;
  const { entry } = routing;
  if (!version.isSameGeneration(entry.generation)) {
    throw new CommandError(
      'StaleEpoch',
      `The collection ${namespace} has been dropped, or its shard key refined, since the migration began`,
    );
  }
  const [chunk] = chunks;
  const before = documents[0]?.value;
  const range = {
    min: entry.pattern.boundText(min),
    max: entry.pattern.boundText(max),
  };
  const isWithin = chunks.length === 1 && chunk.minText <= range.min && chunk.maxText >= range.max;
  if (isWithin && chunk.shard === toShard) return undefined;
  const isSame = isWithin && comparePlacements(chunk, request.chunkVersion) === 0;
  if (!isSame || before === undefined || chunk.shard !== fromShard) {
    throw new CommandError(
      'IncompatibleShardingMetadata',
      `The range [${inspect(min)}, ${inspect(max)}) of ${namespace} is no part of one chunk of ${fromShard} any more`,
    );
  }
  const major = routing.chunks.version.major + 1;
  const { uuid } = entry;
  const oldSince = getField(before, 'onCurrentShardSince') ?? server.catalog.newTimestamp();
  const history = getField(before, 'history')?.asDocument();
  const since = server.catalog.newTimestamp();
  const kept = remainders(chunk, request, range);
  const rest: Expectation[] = kept.map((bounds, index) =>
    chunkPut(server.catalog.newObjectId(), {
      ...bounds,
      uuid,
      shard: fromShard,
      major,
      minor: index + 1,
      since: oldSince,
      ...(history === undefined ? {} : { history }),
    }),
  );
  const control =
    kept.length > 0 ? [] : await controlChunk(server, op, found, { fromShard, major });
  const moved = chunkPut(idOf(before), {
    uuid,
    min,
    max,
    shard: toShard,
    major,
    minor: 0,
    since,
    history: historyOf(since, toShard, history),
  });
  const details = documentOf({ min, max, from: fromShard, to: toShard });
  return {
    // The old document first: the parts that stay take its bounds.
    puts: [moved, ...rest, ...control.map(({ put }) => put)],
    expected: [await shardAsItIs(server, toShard), ...control.map(({ expected }) => expected)],
    entry: { what: 'moveChunk.commit', namespace, details },
  };
}

/** What of the chunk stays at the donor. */
function remainders(
  chunk: Chunk,
  { min, max }: { readonly min: Buffer; readonly max: Buffer },
  range: KeyTextRange,
): { readonly min: Buffer; readonly max: Buffer }[] {
  const kept = [];
  if (chunk.minText < range.min) kept.push({ min: chunk.min, max: min });
  if (range.max < chunk.maxText) kept.push({ min: max, max: chunk.max });
  return kept;
}

/** Another chunk of the donor gets the new major version, so that the donor's own version grows. None when it has no other. */
async function controlChunk(
  server: ConfigServer,
  op: OperationContext,
  { routing, chunks }: ChunksFound,
  { fromShard, major }: { readonly fromShard: string; readonly major: number },
): Promise<{ readonly put: Expectation; readonly expected: Expectation }[]> {
  for (const other of routing.chunks) {
    if (other.shard !== fromShard || other === chunks[0]) continue;
    const [expected] = await chunkDocuments(server.catalog, op, routing.entry.uuid, [other.min]);
    const value = expected?.value;
    if (value === undefined) return [];
    const put = chunkPut(idOf(value), {
      uuid: routing.entry.uuid,
      min: other.min,
      max: other.max,
      shard: fromShard,
      major,
      minor: 1,
      since: getField(value, 'onCurrentShardSince') ?? server.catalog.newTimestamp(),
      history: getField(value, 'history')?.asDocument(),
    });
    return [{ put, expected }];
  }
  return [];
}
