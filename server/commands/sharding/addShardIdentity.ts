/**
 * _addShard: the config server tells this server which shard of which cluster it is from now on.
 *
 * Durable before it is answered. A server that belongs to a cluster joins no other one.
 */
import { encodeIndexKey, getField } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import {
  IDENTITY_NAMESPACE,
  identityDocument,
  identityFromDocument,
  type ShardIdentity,
} from '../../sharding/shard-identity.ts';
import { shardingOf, shardTraits } from './shard-command.ts';

export const addShardIdentity = defineCommand({
  ...shardTraits('_addShard', 'Makes this server a shard of a cluster.'),
  parse: (body) => {
    return identityFromDocument(body.document('shardIdentity'));
  },
  execute: join,
  reply: () => ({}),
});

async function join(identity: ShardIdentity, op: OperationContext): Promise<void> {
  const state = shardingOf(op);
  const { identity: before } = state;
  if (before !== undefined) {
    const isSame =
      before.clusterId === identity.clusterId && before.shardName === identity.shardName;
    if (!isSame) {
      throw new CommandError(
        'IllegalOperation',
        `This server is the shard ${before.shardName} of the cluster ${before.clusterId} already`,
      );
    }
  }
  const document = identityDocument(identity);
  await op.transact(async (transaction) => {
    const collection =
      transaction.collection(IDENTITY_NAMESPACE) ??
      transaction.createCollection(IDENTITY_NAMESPACE);
    const [idIndex] = collection.indexes;
    const id = getField(document, '_id');
    const recordId = transaction.uniqueRecordId(idIndex, encodeIndexKey([id], [1]).key);
    const stored =
      recordId === undefined ? undefined : await transaction.record(collection, recordId);
    if (recordId === undefined || stored === undefined) transaction.insert(collection, document);
    else transaction.update(collection, recordId, stored, document);
  });
  if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  state.identity = identity;
}
