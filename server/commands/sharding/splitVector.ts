/**
 * splitVector: keys that part a range of a collection into pieces of about the same size.
 * Source: MongoDB's splitVector command.
 */
import {
  ArrayBuilder,
  arrayValue,
  compareValues,
  decodeIndexKey,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { ShardKeyPattern } from '../../sharding/shard-key-pattern.ts';
import { shardKeyIndex, textRangeOf, walkKeys } from '../../sharding/shard-key-walk.ts';
import { namespaceIn, shardTraits } from './shard-command.ts';

interface SplitVectorRequest {
  readonly namespace: string;
  readonly pattern: ShardKeyPattern;
  readonly min: Buffer | undefined;
  readonly max: Buffer | undefined;
  /** One key, in the middle, however small the range is. */
  readonly force: boolean;
  readonly maxChunkBytes: number;
  readonly maxKeys: number;
}

const MEBIBYTE = 1024 * 1024;
const MAX_SPLIT_POINTS = 8192;

export const splitVector = defineCommand({
  ...shardTraits('splitVector', 'Finds keys at which a range can be split.'),
  parse: parseSplitVector,
  execute: findKeys,
  reply: (splitKeys) => ({ splitKeys: arrayValue(splitKeys) }),
});

function parseSplitVector(body: CommandBody): SplitVectorRequest {
  const bytes = body.integer('maxChunkSizeBytes', undefined, 1);
  const mebibytes = body.integer('maxChunkSize', undefined, 1);
  const force = body.safeBoolean('force', false);
  uassert(
    force || bytes !== undefined || mebibytes !== undefined,
    'InvalidOptions',
    'need to specify the desired max chunk size (maxChunkSize or maxChunkSizeBytes)',
  );
  body.ignore('maxChunkObjects');
  return {
    namespace: namespaceIn(body),
    pattern: ShardKeyPattern.parse(body.document('keyPattern')),
    min: body.document('min', undefined),
    max: body.document('max', undefined),
    force,
    maxKeys: body.integer('maxSplitPoints', MAX_SPLIT_POINTS, 1),
    maxChunkBytes: bytes ?? (mebibytes ?? 1) * MEBIBYTE,
  };
}

async function findKeys(request: SplitVectorRequest, op: OperationContext): Promise<Buffer> {
  const { namespace, pattern, force, maxChunkBytes, maxKeys } = request;
  const view = op.view();
  const collection = view.collection(namespace);
  if (collection === undefined) {
    throw new CommandError('NamespaceNotFound', `ns not found: ${namespace}`);
  }
  const index = shardKeyIndex(collection, pattern);
  const range = textRangeOf(pattern, request.min, request.max);
  const count = view.recordCount(collection);
  const averageBytes = count === 0 ? 0 : view.dataBytes(collection) / count;
  let inRange = 0;
  if (force) await walkKeys(op, index, range, () => (inRange += 1) > 0);
  const step = force
    ? Math.max(1, Math.floor(inRange / 2))
    : Math.max(1, Math.floor(maxChunkBytes / 2 / Math.max(1, averageBytes)));
  const directions = index.fields.map(({ direction }) => direction);
  const keys = new ArrayBuilder();
  let sinceLast = 0;
  let last: readonly RawValue[] | undefined;
  let first: readonly RawValue[] | undefined;
  await walkKeys(op, index, range, ({ key, typeBits, keyIsWhole }) => {
    sinceLast += 1;
    if (keys.length >= (force ? 1 : maxKeys)) return false;
    if (first !== undefined && sinceLast <= step) return true;
    // Of a key that was cut the end is not known: another one will do.
    if (!keyIsWhole) return true;
    const decoded = decodeIndexKey(key, typeBits, directions);
    const values = decoded.slice(0, pattern.fields.length);
    first ??= values;
    last ??= values;
    if (sinceLast <= step || sameKey(values, last)) return true;
    keys.pushDocument(pattern.boundOf(values));
    last = values;
    sinceLast = 0;
    return true;
  });
  return keys.finish();
}

function sameKey(a: readonly RawValue[], b: readonly RawValue[]): boolean {
  return a.every((value, at) => compareValues(value, b[at]) === 0);
}
