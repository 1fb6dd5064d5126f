/**
 * MongoDB's answer to a duplicate in a unique index.
 */
import {
  ArrayBuilder,
  arrayValue,
  booleanValue,
  BsonType,
  decodeIndexKey,
  DocumentBuilder,
  inspect,
  type EncodedKey,
  getField,
  stringValue,
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
  const collation = getField(index.spec, 'collation');
  const keyValue = new DocumentBuilder();
  const shown = new DocumentBuilder();
  const hexEncoded = new ArrayBuilder();
  for (const [position, value] of values.entries()) {
    const { path } = index.fields[position];
    // The text itself is not in the key: only what it is compared by.
    const isCollated = collation !== undefined && value.type === BsonType.string;
    const hex = isCollated ? `0x${Buffer.from(value.asString()).toString('hex')}` : '';
    keyValue.append(path, isCollated ? stringValue(hex) : value);
    shown.append(path, isCollated ? stringValue(`CollationKey(${hex})`) : value);
    hexEncoded.push(booleanValue(isCollated));
  }
  const about = collation === undefined ? '' : ` collation: ${inspect(collation)}`;
  return new CommandError(
    'DuplicateKey',
    `E11000 duplicate key error collection: ${namespace} index: ${index.name}${about} dup key: ${inspect(shown.finish())}`,
    {
      fields: {
        keyPattern: getField(index.spec, 'key'),
        keyValue: keyValue.finish(),
        ...(collation === undefined
          ? {}
          : { hexEncoded: arrayValue(hexEncoded.finish()), collation }),
      },
    },
  );
}
