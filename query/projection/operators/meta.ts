/**
 * `{ $meta: name }`: what the executor knows of a document besides its fields.
 */
import { BsonType, documentValue, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { DocumentMetadata } from '../projection.ts';
import type { ComputedNode } from '../tree.ts';

type MetadataName = keyof DocumentMetadata;

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
export function parseMeta(argument: RawValue): { node: ComputedNode; metadata: MetadataName } {
  uassert(argument.type === BsonType.string, 17307, '$meta only supports string arguments');
  const text = argument.asString();
  const metadata = NAMES.find((name) => name === text);
  if (metadata === undefined)
    throw new CommandError(17308, `Unsupported argument to $meta: ${text}`);
  const node: ComputedNode = {
    kind: 'computed',
    evaluate: (input) => metadataValue(input.metadata?.[metadata]),
    paths: new Set(),
  };
  return { node, metadata };
}

function metadataValue(value: RawValue | Buffer | undefined): RawValue | undefined {
  return Buffer.isBuffer(value) ? documentValue(value) : value;
}
