/**
 * Sets of BSON types as $type and $jsonSchema name them: by alias, by number, or as a list of both.
 */
import { BSON_TYPES, BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { inspectValue } from './operand.ts';

const NUMBER_TYPES: readonly number[] = [
  BsonType.double,
  BsonType.int32,
  BsonType.int64,
  BsonType.decimal128,
];

const TYPES_BY_ALIAS: ReadonlyMap<string, readonly number[]> = new Map([
  ['number', NUMBER_TYPES],
  ...BSON_TYPES.map(({ code, name }): [string, number[]] => [name, [code]]),
]);

const TYPE_CODES: ReadonlySet<number> = new Set(BSON_TYPES.map(({ code }) => code));

/** The types that an operand of $type names. @throws CommandError BadValue or TypeMismatch. */
export function parseTypeSet(operand: RawValue): ReadonlySet<number> {
  if (operand.type !== BsonType.array) return new Set(typesNamed(operand));
  const members = Array.from(fieldsOf(operand.asDocument()), ([, member]) => member);
  return new Set(members.flatMap((member) => typesNamed(member)));
}

function typesNamed(name: RawValue): readonly number[] {
  if (name.type === BsonType.string) return typesOfAlias(name.asString());
  if (!name.isNumber) {
    throw new CommandError('TypeMismatch', 'type must be represented as a number or a string');
  }
  const code = name.asNumber();
  // MinKey is written as -1; its byte is 255.
  const byte = code === -1 ? BsonType.minKey : code;
  if (!Number.isInteger(code) || !TYPE_CODES.has(byte) || code === BsonType.minKey) {
    throw new CommandError('BadValue', `Invalid numerical type code: ${inspectValue(name)}`);
  }
  return [byte];
}

/** @throws CommandError BadValue for a name that is no alias. */
export function typesOfAlias(alias: string): readonly number[] {
  const types = TYPES_BY_ALIAS.get(alias);
  if (types === undefined) throw new CommandError('BadValue', `Unknown type name alias: ${alias}`);
  return types;
}
