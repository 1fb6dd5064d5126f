/**
 * _shardsvrCheckShardKeyIndex: whether a collection has what it needs to be sharded by another key, before its key is refined.
 */
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { missingKeyIndex, unsuitedIndexes } from '../../sharding/shard-key-index.ts';
import { ShardKeyPattern } from '../../sharding/shard-key-pattern.ts';
import { uuidIn } from './createCollectionParticipant.ts';
import { namespaceIn, shardTraits } from './shard-command.ts';

export const checkShardKeyIndex = defineCommand({
  ...shardTraits('_shardsvrCheckShardKeyIndex', 'Looks for the index of a shard key.'),
  parse: (body) => ({
    namespace: namespaceIn(body),
    uuid: uuidIn(body.value('uuid')),
    pattern: ShardKeyPattern.parse(body.document('key')),
    isUnique: body.boolean('unique'),
  }),
  execute: ({ namespace, uuid, pattern, isUnique }, op) => {
    const collection = op.view().collection(namespace);
    if (collection === undefined || collection.uuid !== uuid) {
      throw new CommandError('NamespaceNotFound', `${namespace} is not on this shard`);
    }
    const missing = missingKeyIndex(collection, pattern, isUnique);
    if (missing !== undefined && missing.unsuited.length > 0) {
      throw unsuitedIndexes(pattern, missing);
    }
    uassert(
      missing === undefined,
      'InvalidOptions',
      'Please create an index that starts with the proposed shard key before refining the shard key of the collection',
    );
  },
  reply: () => ({}),
});
