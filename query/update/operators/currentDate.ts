/**
 * $currentDate: the server's time as a date or a timestamp.
 */
import {
  BsonType,
  dateValue,
  fieldsOf,
  timestampValue,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineModifier } from '../modifier.ts';

export const $currentDate = defineModifier({
  name: '$currentDate',
  parse: ({ operand, context: { clock } }) => {
    const kind = parseKind(operand);
    // Timestamps of one update differ, as those of a cluster do.
    let increment = 0;
    const now = (): RawValue => {
      if (kind === 'date') return dateValue(clock.wallMs());
      increment += 1;
      return timestampValue(Math.floor(clock.wallMs() / 1000), increment);
    };
    return { update: now, create: now, needsPath: true };
  },
});

function parseKind(operand: RawValue): 'date' | 'timestamp' {
  if (operand.type === BsonType.bool) return 'date';
  if (operand.type !== BsonType.object) {
    throw new CommandError(
      'BadValue',
      `${operand.typeName} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).`,
    );
  }
  let kind: 'date' | 'timestamp' | undefined;
  for (const [name, value] of fieldsOf(operand.asDocument())) {
    uassert(name === '$type', 'BadValue', `Unrecognized $currentDate option: ${name}`);
    const text = value.asString();
    if (value.type === BsonType.string && (text === 'date' || text === 'timestamp')) kind = text;
    else kind = undefined;
  }
  uassert(
    kind !== undefined,
    'BadValue',
    "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
  );
  return kind;
}
