/**
 * Makes one chunk of several that lie side by side on one shard: no document moves, so only the minor version grows.
 */
import { documentOf, getField, inspect } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import type { Expectation } from '../../server/index.ts';
import type { KeyTextRange, OperationContext } from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import { chunkPut, idOf } from './chunk-documents.ts';
import { replaceChunks, type ChunkChange, type ChunksFound } from './replace-chunks.ts';

export interface MergeRequest {
  readonly namespace: string;
  readonly min: Buffer;
  readonly max: Buffer;
}

/** @throws CommandError IllegalOperation, NamespaceNotSharded */
export function mergeRange(
  server: ConfigServer,
  op: OperationContext,
  request: MergeRequest,
): Promise<void> {
  const { namespace, min, max } = request;
  return replaceChunks(
    server,
    op,
    namespace,
    ({ entry }): KeyTextRange => ({
      min: entry.pattern.boundText(min),
      max: entry.pattern.boundText(max),
    }),
    (found) => mergePlan(server, request, found),
  );
}

function mergePlan(
  server: ConfigServer,
  { namespace, min, max }: MergeRequest,
  { routing, chunks, documents }: ChunksFound,
): ChunkChange | undefined {
  const { pattern, uuid } = routing.entry;
  const [first] = chunks;
  const last = chunks.at(-1);
  const range = `[${inspect(min)},${inspect(max)})`;
  uassert(
    first !== undefined &&
      first.minText === pattern.boundText(min) &&
      last?.maxText === pattern.boundText(max),
    'IllegalOperation',
    `could not merge chunks, collection ${namespace} range ${range} does not begin and end at bounds of chunks`,
  );
  uassert(
    chunks.every(({ shard }) => shard === first.shard),
    'IllegalOperation',
    `could not merge chunks, collection ${namespace} has chunks of several shards in the range ${range}`,
  );
  if (chunks.length === 1) return undefined;
  const { major, minor } = routing.chunks.version;
  const [kept, ...gone] = documents;
  const since = latestSince(documents) ?? server.catalog.newTimestamp();
  const puts: Expectation[] = [
    ...gone.map(({ key }) => ({ key, value: undefined })),
    chunkPut(kept.value === undefined ? kept.key.id : idOf(kept.value), {
      uuid,
      min,
      max,
      shard: first.shard,
      major,
      minor: minor + 1,
      since,
    }),
  ];
  const details = documentOf({ merged: chunks.length, min, max, owningShard: first.shard });
  return { puts, entry: { what: 'merge', namespace, details } };
}

/** Since when all of it has been on its shard. */
function latestSince(documents: readonly Expectation[]) {
  let latest;
  let highest = -1n;
  for (const { value } of documents) {
    const since = value === undefined ? undefined : getField(value, 'onCurrentShardSince');
    if (since?.typeName !== 'timestamp') continue;
    const { seconds, increment } = since.asTimestamp();
    const number = (BigInt(seconds) << 32n) | BigInt(increment);
    if (number <= highest) continue;
    highest = number;
    latest = since;
  }
  return latest;
}
