/**
 * `{ $meta: name }`: what the executor knows of a document besides its fields.
 */
import { BsonType, documentValue, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { metadataValueOf } from '../../document-metadata.ts';
import type { MetadataName } from '../projection.ts';
import type { ComputedNode } from '../tree.ts';

const NAMES: readonly MetadataName[] = [
  'geoNearDistance',
  'geoNearPoint',
  'indexKey',
  'randVal',
  'recordId',
  'searchScore',
  'sortKey',
  'textScore',
];

/** @throws CommandError 17307, 17308 for anything but a known name. */
export function metadataNameOf(argument: RawValue): MetadataName {
  uassert(argument.type === BsonType.string, 17307, '$meta only supports string arguments');
  const text = argument.asString();
  const metadata = NAMES.find((name) => name === text);
  if (metadata === undefined)
    throw new CommandError(17308, `Unsupported argument to $meta: ${text}`);
  return metadata;
}

export function parseMeta(argument: RawValue): { node: ComputedNode; metadata: MetadataName } {
  const metadata = metadataNameOf(argument);
  const node: ComputedNode = {
    kind: 'computed',
    evaluate: (input) =>
      asValue(input.metadata?.[metadata]) ?? metadataValueOf(input.scope.document, metadata),
    paths: new Set(),
  };
  return { node, metadata };
}

function asValue(value: RawValue | Buffer | undefined): RawValue | undefined {
  return Buffer.isBuffer(value) ? documentValue(value) : value;
}
