/**
 * Who a shard is: the document that addShard leaves in admin.system.version.
 */
import {
  documentOf,
  encodeIndexKey,
  getField,
  objectIdValue,
  stringValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { ReadView } from '../../storage/index.ts';

export const IDENTITY_NAMESPACE = 'admin.system.version';
const IDENTITY_ID = 'shardIdentity';

export interface ShardIdentity {
  readonly shardName: string;
  /** An ObjectId as 24 hexadecimal digits. */
  readonly clusterId: string;
  /** "host:port" of the config server. */
  readonly configHost: string;
}

/** @param document of the command _addShard, or as it is stored. @throws CommandError NoSuchKey */
export function identityFromDocument(document: Buffer): ShardIdentity {
  const field = (name: string) => {
    const value = getField(document, name);
    if (value !== undefined) return value;
    throw new CommandError('NoSuchKey', `Missing expected field "${name}" in the shard identity`);
  };
  return {
    shardName: field('shardName').asString(),
    clusterId: field('clusterId').asObjectIdBytes().toString('hex'),
    configHost: field('configsvrConnectionString').asString(),
  };
}

export function identityDocument({ shardName, clusterId, configHost }: ShardIdentity): Buffer {
  return documentOf({
    _id: IDENTITY_ID,
    shardName,
    clusterId: objectIdValue(Buffer.from(clusterId, 'hex')),
    configsvrConnectionString: configHost,
  });
}

/** undefined: the server has not been added to a cluster yet. */
export async function storedIdentity(view: ReadView): Promise<ShardIdentity | undefined> {
  const collection = view.collection(IDENTITY_NAMESPACE);
  if (collection === undefined) return undefined;
  const [idIndex] = collection.indexes;
  const recordId = view.uniqueRecordId(
    idIndex,
    encodeIndexKey([stringValue(IDENTITY_ID)], [1]).key,
  );
  if (recordId === undefined) return undefined;
  const document = await view.record(collection, recordId);
  tassert(document !== undefined, 'the shard identity is in the index and not there');
  return identityFromDocument(document);
}
