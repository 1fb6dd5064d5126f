/**
 * _configsvrResolveChunkMigration: whether a range was given over, said once and for all.
 *
 * A donor asks that does not know how its commit ended: it was killed, or heard no answer. If the range is the donor's still, its chunk
 * gets a new version, so that a commit which is still on its way finds another chunk than it expects, and is refused.
 */
import { documentOf, getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  defineCommand,
  type Command,
  type KeyTextRange,
  type OperationContext,
} from '../../server/cluster.ts';
import { chunkPut, idOf } from '../catalog/chunk-documents.ts';
import { replaceChunks, type ChunkChange, type ChunksFound } from '../catalog/replace-chunks.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

interface ResolveRequest {
  readonly namespace: string;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly fromShard: string;
}

export function resolveChunkMigration(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrResolveChunkMigration',
      'Says how a migration has ended.',
      'internal',
    ),
    parse: (body): ResolveRequest => ({
      namespace: namespaceIn(body),
      min: body.document('min'),
      max: body.document('max'),
      fromShard: body.string('fromShard'),
    }),
    execute: (request, op) => resolve(server(), op, request),
    reply: (committed) => ({ committed }),
  });
}

async function resolve(
  server: ConfigServer,
  op: OperationContext,
  request: ResolveRequest,
): Promise<boolean> {
  let isCommitted = false;
  try {
    await replaceChunks(
      server,
      op,
      request.namespace,
      // The key may have been refined since the migration began.
      ({ entry: { pattern } }): KeyTextRange => ({
        min: pattern.boundText(pattern.extendedBound(request.min)),
        max: pattern.boundText(pattern.extendedBound(request.max)),
      }),
      (found) => {
        const change = fence(server, request, found);
        isCommitted = change === undefined;
        return change;
      },
    );
  } catch (error) {
    // Dropped: there is nothing that anybody could own.
    if (error instanceof CommandError && error.codeName === 'NamespaceNotSharded') return false;
    throw error;
  }
  return isCommitted;
}

/** @returns undefined when nothing of the range is the donor's any more */
function fence(
  server: ConfigServer,
  { namespace, fromShard, min, max }: ResolveRequest,
  { routing, chunks, documents }: ChunksFound,
): ChunkChange | undefined {
  const { major, minor } = routing.chunks.version;
  const puts = chunks.flatMap((chunk, index) => {
    const before = documents[index].value;
    if (before === undefined || chunk.shard !== fromShard) return [];
    const put = chunkPut(idOf(before), {
      uuid: routing.entry.uuid,
      min: chunk.min,
      max: chunk.max,
      shard: chunk.shard,
      major,
      minor: minor + 1 + index,
      since: getField(before, 'onCurrentShardSince') ?? server.catalog.newTimestamp(),
      history: getField(before, 'history')?.asDocument(),
    });
    return [put];
  });
  if (puts.length === 0) return undefined;
  const details = documentOf({ min, max, from: fromShard });
  return { puts, entry: { what: 'moveChunk.error', namespace, details } };
}
