/**
 * Hashed indexes: one field by MongoDB's hash of its value, others in their order. Arrays are refused on every field.
 * Source: MongoDB's manual, "Hashed Indexes".
 */
import {
  encodeIndexKey,
  fieldsOf,
  inspect,
  int64Value,
  KeyPaths,
  type RawValue,
} from '../../../bson/index.ts';
import type { Collator } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { IndexDescription, KeyGenerator } from '../../../storage/index.ts';
import { hashedField, hashOf, orderedField } from '../scan-fields.ts';
import type { IndexKind } from '../index-kind.ts';

export const hashed: IndexKind = {
  name: 'hashed',

  complete(request) {
    const { keyPattern, options } = request;
    const count = Array.from(fieldsOf(keyPattern)).filter(([, value]) => !value.isNumber).length;
    uassert(
      count === 1,
      31303,
      'A maximum of one index field is allowed to be hashed but found ' +
        `${count} for 'key' ${inspect(keyPattern)}`,
    );
    uassert(
      options.get('unique')?.isTruthy() !== true,
      16764,
      'Currently hashed indexes cannot guarantee uniqueness. Use a regular index.',
    );
    return request;
  },

  keyGenerator: (index, collator) => hashedKeys(index, collator),

  scanShapes: (index, { collator }) => [
    {
      index,
      fields: index.fields.map(({ kind }) =>
        kind === 'hashed' ? hashedField(index, collator) : orderedField(index, collator),
      ),
      sparse: index.sparse,
    },
  ],
};

function hashedKeys(index: IndexDescription, collator: Collator | undefined): KeyGenerator {
  const { fields, sparse } = index;
  const paths = new KeyPaths(fields.map(({ path }) => path));
  const directions = fields.map(({ direction }) => direction);
  return {
    keysOf(document) {
      const values = paths.tryPlain(document);
      if (values === undefined) throw arrayRefused();
      if (sparse && values.every((value) => value === undefined)) return NO_KEYS;
      const hashedValues: (RawValue | undefined)[] = values.map((value, field) =>
        fields[field].kind === 'hashed' ? int64Value(hashOf(value, collator)) : value,
      );
      return {
        keys: [encodeIndexKey(hashedValues, directions, collator)],
        multikeyPaths: undefined,
      };
    },
  };
}

const NO_KEYS = { keys: [], multikeyPaths: undefined };

function arrayRefused(): CommandError {
  return new CommandError(16766, 'hashed indexes do not currently support array values');
}
