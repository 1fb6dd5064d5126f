/**
 * Has a range moved: finds who has it, and asks that shard to give it to another one.
 */
import { EMPTY_DOCUMENT, FieldCursor, getField, inspect, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type {
  Chunk,
  CollectionRouting,
  OperationContext,
  ShardEntry,
} from '../../server/cluster.ts';
import { collectionSettings, readSettings } from '../balancer/settings.ts';
import type { ConfigServer } from '../config-server.ts';

export interface MoveRequest {
  readonly namespace: string;
  readonly toShard: string;
  readonly waitsForDelete: boolean;
  /** Refuses a chunk that is much larger than a range and cannot be split, where no `max` is given. */
  readonly onlyUsualSize?: boolean;
  /** Without `max`: as much of the chunk as makes a range of the usual size. */
  readonly rangeOf: (routing: CollectionRouting) => {
    readonly min: Buffer;
    readonly max?: Buffer;
  };
}

/** In sizes of a range. */
const TOO_LARGE = 2;
const MIGRATION_TIMEOUT_MS = 6 * 3_600_000;

/** Resolves when it is done. @throws what keeps it from being done; nothing has moved then */
export async function moveRangeTo(
  server: ConfigServer,
  op: OperationContext,
  request: MoveRequest,
): Promise<void> {
  const { namespace, onlyUsualSize = false } = request;
  const { catalog } = server;
  const routing = await catalog.routing(op, namespace);
  const to = await catalog.shard(op, request.toShard);
  await checkAllowed(server, namespace);
  if (to.isDraining) {
    throw new CommandError('IllegalOperation', `Shard ${to.name} is being drained`);
  }
  const { pattern } = routing.entry;
  const { min, max: wantedMax } = request.rangeOf(routing);
  const chunk = routing.chunks.chunkOf(pattern.boundText(min));
  if (chunk.shard === to.name) return;
  const from = await catalog.shard(op, chunk.shard);
  const max =
    wantedMax ?? (await usualMax(server, op, { routing, chunk, min, from, onlyUsualSize }));
  if (pattern.boundText(max) > chunk.maxText || pattern.boundText(max) <= pattern.boundText(min)) {
    throw new CommandError(
      'InvalidOptions',
      `The range [${inspect(min)}, ${inspect(max)}) does not lie within one chunk`,
    );
  }
  await server.askShard(
    op,
    from,
    {
      _shardsvrMoveRange: namespace,
      min,
      max,
      fromShard: from.name,
      toShard: to.name,
      toHost: to.host,
      waitForDelete: request.waitsForDelete,
    },
    { timeoutMs: MIGRATION_TIMEOUT_MS },
  );
}

/** @throws CommandError ConflictingOperationInProgress after setAllowMigrations: false */
async function checkAllowed({ catalog, renaming }: ConfigServer, namespace: string): Promise<void> {
  if (renaming.has(namespace)) {
    throw new CommandError(
      'ConflictingOperationInProgress',
      `The collection ${namespace} is being renamed`,
    );
  }
  const document = await catalog.topology.get({ set: 'collections', id: stringValue(namespace) });
  const allowed = document === undefined ? undefined : getField(document, 'allowMigrations');
  if (allowed?.isTruthy() !== false) return;
  throw new CommandError(
    'ConflictingOperationInProgress',
    `Migrations of ${namespace} are not allowed (setAllowMigrations)`,
  );
}

/** Where a range of the usual size ends, within the chunk. */
async function usualMax(
  server: ConfigServer,
  op: OperationContext,
  {
    routing: { entry },
    chunk,
    min,
    from,
    onlyUsualSize,
  }: {
    readonly routing: CollectionRouting;
    readonly chunk: Chunk;
    readonly min: Buffer;
    readonly from: ShardEntry;
    readonly onlyUsualSize: boolean;
  },
): Promise<Buffer> {
  const key = { set: 'collections', id: stringValue(entry.namespace) };
  const document = await server.catalog.topology.get(key);
  const own = document === undefined ? undefined : collectionSettings(document).rangeBytes;
  const bytes = own ?? (await readSettings(server.catalog)).rangeBytes;
  const reply = await server.askShard(op, from, {
    splitVector: entry.namespace,
    keyPattern: entry.pattern.pattern,
    min,
    max: chunk.max,
    // It splits at half of what it is told.
    maxChunkSizeBytes: BigInt(bytes) * 2n,
    maxSplitPoints: 1,
  });
  const keys = new FieldCursor(getField(reply, 'splitKeys')?.asDocument() ?? EMPTY_DOCUMENT);
  if (keys.next()) return keys.value().asDocument();
  if (!onlyUsualSize) return chunk.max;
  const size = await server.askShard(op, from, {
    dataSize: entry.namespace,
    keyPattern: entry.pattern.pattern,
    min,
    max: chunk.max,
    estimate: true,
  });
  if ((getField(size, 'size')?.asNumber() ?? 0) <= TOO_LARGE * bytes) return chunk.max;
  throw new CommandError(
    'ChunkTooBig',
    `The chunk [${inspect(chunk.min)}, ${inspect(chunk.max)}) of ${entry.namespace} is much larger than a range, and has too few different keys to be split`,
  );
}
