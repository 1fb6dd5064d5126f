/**
 * _configsvrMergeChunks and _configsvrMergeAllChunksOnShard: one chunk of several that lie side by side on one shard.
 * Source: MongoDB's manual, "mergeChunks", "mergeAllChunksOnShard".
 */
import { defineCommand, type Command } from '../../server/cluster.ts';
import { mergeShard } from '../balancer/merge-shard.ts';
import { mergeRange, type MergeRequest } from '../catalog/merge-range.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';
import { boundsOf } from './split.ts';

export function mergeChunks(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrMergeChunks', 'Merges neighbouring chunks.', 'splitChunk'),
    parse: (body): MergeRequest => ({
      namespace: namespaceIn(body),
      ...boundsOf(body.array('bounds')),
    }),
    execute: (request, op) => mergeRange(server(), op, request),
    reply: () => ({}),
  });
}

export function mergeAllChunksOnShard(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrMergeAllChunksOnShard',
      'Merges all neighbouring chunks of a shard.',
      'splitChunk',
    ),
    parse: (body) => {
      const maxCount = body.integer('maxNumberOfChunksToMerge', undefined, 2);
      return {
        namespace: namespaceIn(body),
        shard: body.string('shard'),
        ...(maxCount === undefined ? {} : { maxCount }),
      };
    },
    execute: async (request, op) => {
      const { name } = await server().catalog.shard(op, request.shard);
      await mergeShard(server(), op, { ...request, shard: name });
    },
    reply: () => ({}),
  });
}
