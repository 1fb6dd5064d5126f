/**
 * The names of BSON types that a value of the driver may have had: `$type` aliases.
 */

const OF_CLASS: Readonly<Record<string, string>> = {
  Binary: 'binData',
  BSONRegExp: 'regex',
  BSONSymbol: 'symbol',
  Code: 'javascript',
  Decimal128: 'decimal',
  Double: 'double',
  Int32: 'int',
  Long: 'long',
  MaxKey: 'maxKey',
  MinKey: 'minKey',
  ObjectId: 'objectId',
  Timestamp: 'timestamp',
};

/** Usually one name; an integral number of the driver may have been any of the number types. */
export function typeNamesOf(value: unknown): string[] {
  const names = bsonNamesOf(value);
  const isNumber = names.some((name) => ['int', 'long', 'double', 'decimal'].includes(name));
  return isNumber ? [...names, 'number'] : names;
}

function bsonNamesOf(value: unknown): string[] {
  switch (typeof value) {
    case 'undefined':
      return ['missing'];
    case 'string':
      return ['string'];
    case 'boolean':
      return ['bool'];
    case 'bigint':
      return ['long'];
    case 'number':
      return Number.isInteger(value) ? ['int', 'long', 'double'] : ['double'];
    default:
      return [nameOfObject(value)];
  }
}

function nameOfObject(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  if (value instanceof RegExp) return 'regex';
  if (value instanceof Uint8Array) return 'binData';
  if (typeof value === 'object' && '_bsontype' in value) {
    const name = OF_CLASS[String(value._bsontype)];
    if (name !== undefined) return name;
  }
  return 'object';
}
