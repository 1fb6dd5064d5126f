/**
 * MongoDB's answer to a duplicate in a unique index.
 */
import {
  decodeIndexKey,
  DocumentBuilder,
  inspect,
  type EncodedKey,
  getField,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { IndexDescription } from '../contract.ts';

/** @param key the whole key, not the stored form that may be cut */
export function duplicateKeyError(
  namespace: string,
  index: IndexDescription,
  key: EncodedKey,
): CommandError {
  const values = decodeIndexKey(
    key.key,
    key.typeBits,
    index.fields.map(({ direction }) => direction),
  );
  const keyValue = new DocumentBuilder();
  for (const [position, value] of values.entries()) {
    keyValue.append(index.fields[position].path, value);
  }
  const keyDocument = keyValue.finish();
  const pattern = getField(index.spec, 'key');
  return new CommandError(
    'DuplicateKey',
    `E11000 duplicate key error collection: ${namespace} index: ${index.name} dup key: ${inspect(keyDocument)}`,
    { fields: { keyPattern: pattern, keyValue: keyDocument } },
  );
}
