/**
 * Splits a chunk at keys: no document moves, so only minor versions grow.
 */
import { documentOf, getField, inspect } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { KeyTextRange, OperationContext } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import { chunkPut, idOf } from './chunk-documents.ts';
import { replaceChunks, type ChunksFound, type ChunkChange } from './replace-chunks.ts';

/**
 * @param splitKeys bounds of the new chunks within the old one, in order; whole shard keys
 * @throws CommandError CannotSplit, BadValue, NamespaceNotSharded
 */
export function splitChunk(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
  splitKeys: readonly Buffer[],
): Promise<void> {
  const [first] = splitKeys;
  return replaceChunks(
    server,
    op,
    namespace,
    ({ entry }): KeyTextRange => {
      const min = entry.pattern.boundText(first);
      return { min, max: `${min}\0` };
    },
    (found) => splitPlan(server, namespace, splitKeys, found),
  );
}

function splitPlan(
  server: ConfigServer,
  namespace: string,
  splitKeys: readonly Buffer[],
  { routing, chunks: [chunk], documents: [document] }: ChunksFound,
): ChunkChange {
  const { pattern, uuid } = routing.entry;
  const before = document.value;
  if (chunk === undefined || before === undefined) {
    throw new CommandError('CannotSplit', `no chunk of ${namespace} has the split key`);
  }
  const ends = [chunk.min, ...splitKeys, chunk.max];
  const texts = ends.map((end) => pattern.boundText(end));
  for (let index = 1; index < texts.length; index += 1) {
    if (texts[index - 1] < texts[index]) continue;
    throw new CommandError(
      'CannotSplit',
      `Split keys must lie in order within the chunk [${inspect(chunk.min)}, ${inspect(chunk.max)}) and not at its bounds: ${splitKeys.map((key) => inspect(key)).join(', ')}`,
    );
  }
  const { major, minor } = routing.chunks.version;
  const since = getField(before, 'onCurrentShardSince') ?? server.catalog.newTimestamp();
  const history = getField(before, 'history')?.asDocument();
  const puts = ends.slice(1).map((max, index) =>
    chunkPut(index === 0 ? idOf(before) : server.catalog.newObjectId(), {
      uuid,
      min: ends[index],
      max,
      shard: chunk.shard,
      major,
      minor: minor + 1 + index,
      since,
      ...(history === undefined ? {} : { history }),
    }),
  );
  const details = documentOf({
    before: documentOf({ min: chunk.min, max: chunk.max }),
    number: splitKeys.length + 1,
    owningShard: chunk.shard,
  });
  const what = splitKeys.length === 1 ? 'split' : 'multi-split';
  return { puts, entry: { what, namespace, details } };
}
