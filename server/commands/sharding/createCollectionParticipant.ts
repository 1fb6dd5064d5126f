/**
 * _shardsvrCreateCollectionParticipant: makes a collection on this shard as the primary shard has it.
 */
import { BsonType, EMPTY_DOCUMENT, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { createCopy, type CollectionCopy } from '../../sharding/collection-copy.ts';
import { namespaceIn, shardTraits } from './shard-command.ts';

export const createCollectionParticipant = defineCommand({
  ...shardTraits(
    '_shardsvrCreateCollectionParticipant',
    'Makes a sharded collection on this shard.',
  ),
  parse: (body) => parseCopy(body, namespaceIn(body)),
  execute: async (copy, op) => {
    await op.transact((transaction) => void createCopy(transaction, copy));
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  },
  reply: () => ({}),
});

/** The fields that describe a collection elsewhere. */
export function parseCopy(body: CommandBody, namespace: string): CollectionCopy {
  return {
    namespace,
    uuid: uuidIn(body.value('uuid')),
    options: body.document('options', EMPTY_DOCUMENT),
    indexes: arrayIn(body.value('indexes')),
  };
}

/** 32 hexadecimal digits. */
export function uuidIn(value: RawValue | undefined): string {
  if (value?.type === BsonType.binData) return value.asBinary().bytes.toString('hex');
  throw new CommandError('TypeMismatch', "BSON field 'uuid' is missing or no UUID");
}

function arrayIn(value: RawValue | undefined): Buffer {
  if (value?.type === BsonType.array) return value.asDocument();
  throw new CommandError('TypeMismatch', "BSON field 'indexes' is missing or no array");
}
