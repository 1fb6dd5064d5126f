/**
 * _configsvrMoveRange and _configsvrMoveChunk: the shard that has a range gives it to another one, and answers when that is done.
 * Source: MongoDB's manual, "moveRange", "moveChunk".
 */
import { inspect } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type CommandBody } from '../../server/index.ts';
import { defineCommand, type Command } from '../../server/cluster.ts';
import { moveRangeTo, type MoveRequest } from '../catalog/move-range.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';
import { boundsOf } from './split.ts';

export function moveRange(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMoveRange', 'Moves a range to another shard.', 'moveChunk'),
    parse: parseMoveRange,
    execute: (request, op) => moveRangeTo(server(), op, request),
    reply: () => ({}),
  });
}

export function moveChunk(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMoveChunk', 'Moves a chunk to another shard.', 'moveChunk'),
    parse: parseMoveChunk,
    execute: (request, op) => moveRangeTo(server(), op, request),
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
      if (min !== undefined) return max === undefined ? { min } : { min, max };
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
