/**
 * $pop: removes the first (-1) or last (1) element.
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { parseInteger } from '../../matcher/operand.ts';
import { arrayOf, elementsOf } from '../array-elements.ts';
import { defineModifier } from '../modifier.ts';

export const $pop = defineModifier({
  name: '$pop',
  parse: ({ path, operand }) => {
    const end = parseInteger(path, operand);
    if (end !== 1n && end !== -1n) {
      throw new CommandError('FailedToParse', `$pop expects 1 or -1, found: ${end}`);
    }
    const fromFront = end === -1n;
    return {
      update: (value, { path: place }) => {
        if (value.type !== BsonType.array) {
          throw new CommandError(
            'TypeMismatch',
            `Path '${place}' contains an element of non-array type '${value.typeName}'`,
          );
        }
        const elements = elementsOf(value);
        if (elements.length === 0) return value;
        const kept = fromFront ? elements.slice(1) : elements.slice(0, -1);
        return arrayOf(kept, value.end - value.start);
      },
      create: () => undefined,
      needsPath: true,
    };
  },
});
