/**
 * _configsvrMoveRange and _configsvrMoveChunk: the shard that has a range gives it to another one, and answers when that is done.
 * Source: MongoDB's manual, "moveRange", "moveChunk".
 */
import { inspect } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import {
  defineCommand,
  type CollectionRouting,
  type Command,
  type CommandBody,
  type OperationContext,
} from '../../server/index.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';
import { boundsOf } from './split.ts';

interface MoveRequest {
  readonly namespace: string;
  readonly toShard: string;
  readonly waitsForDelete: boolean;
  readonly rangeOf: (routing: CollectionRouting) => { readonly min: Buffer; readonly max: Buffer };
}

const MIGRATION_TIMEOUT_MS = 6 * 3_600_000;

export function moveRange(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMoveRange', 'Moves a range to another shard.', 'moveChunk'),
    parse: parseMoveRange,
    execute: (request, op) => move(server(), op, request),
    reply: () => ({}),
  });
}

export function moveChunk(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMoveChunk', 'Moves a chunk to another shard.', 'moveChunk'),
    parse: parseMoveChunk,
    execute: (request, op) => move(server(), op, request),
    reply: () => ({}),
  });
}

function parseMoveRange(body: CommandBody): MoveRequest {
  const namespace = namespaceIn(body);
  const min = body.document('min', undefined);
  const max = body.document('max', undefined);
  const toShard = body.string('toShard');
  const waitsForDelete = body.safeBoolean('waitForDelete', false);
  body.ignore('forceJumbo', 'secondaryThrottle');
  return {
    namespace,
    toShard,
    waitsForDelete,
    rangeOf: ({ entry, chunks }) => {
      if (min !== undefined) {
        const chunk = chunks.chunkOf(entry.pattern.boundText(min));
        return { min, max: max ?? chunk.max };
      }
      if (max === undefined) {
        throw new CommandError('InvalidOptions', "Need to specify at least one of 'min' and 'max'");
      }
      const text = entry.pattern.boundText(max);
      const chunk = [...chunks].find((found) => found.maxText >= text);
      return { min: chunk?.min ?? entry.pattern.globalMin, max };
    },
  };
}

function parseMoveChunk(body: CommandBody): MoveRequest {
  const namespace = namespaceIn(body);
  const toShard = body.string('to');
  const query = body.document('find', undefined);
  const bounds = body.array('bounds', undefined);
  const waitsForDelete =
    body.safeBoolean('_waitForDelete', false) || body.safeBoolean('waitForDelete', false);
  body.ignore('forceJumbo', 'secondaryThrottle', '_secondaryThrottle', 'maxChunkSizeBytes');
  if ((query === undefined) === (bounds === undefined)) {
    throw new CommandError('InvalidOptions', "need to specify either 'find' or 'bounds'");
  }
  return {
    namespace,
    toShard,
    waitsForDelete,
    rangeOf: ({ entry, chunks }) => {
      if (query !== undefined) return chunks.chunkOf(entry.pattern.keyOf(query).text);
      const { min, max } = boundsOf(bounds ?? []);
      const range = { min: entry.pattern.boundText(min), max: entry.pattern.boundText(max) };
      if (chunks.tryChunk(range) !== undefined) return { min, max };
      throw new CommandError(
        'IllegalOperation',
        `no chunk found with the bounds [${inspect(min)}, ${inspect(max)})`,
      );
    },
  };
}

async function move(
  server: ConfigServer,
  op: OperationContext,
  request: MoveRequest,
): Promise<void> {
  const { namespace } = request;
  const { catalog } = server;
  const routing = await catalog.routing(op, namespace);
  const to = await catalog.shard(op, request.toShard);
  if (to.isDraining) {
    throw new CommandError('IllegalOperation', `Shard ${to.name} is being drained`);
  }
  const { min, max } = request.rangeOf(routing);
  const { pattern } = routing.entry;
  const chunk = routing.chunks.chunkOf(pattern.boundText(min));
  if (pattern.boundText(max) > chunk.maxText || pattern.boundText(max) <= pattern.boundText(min)) {
    throw new CommandError(
      'InvalidOptions',
      `The range [${inspect(min)}, ${inspect(max)}) does not lie within one chunk`,
    );
  }
  if (chunk.shard === to.name) return;
  const from = await catalog.shard(op, chunk.shard);
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
