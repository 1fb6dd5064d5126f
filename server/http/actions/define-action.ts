/**
 * An action of the Data API: its request's fields, the command that it stands for, and the answer's shape.
 *
 * Owns: the checks of fields. The OpenAPI document is made from the same definitions.
 */
import { CommandError } from '../../../common/errors.ts';
import { BsonType, FieldCursor, type BsonTypeCode, type RawValue } from '../../../bson/index.ts';

export type FieldType = 'string' | 'object' | 'documents' | 'update' | 'boolean' | 'count';

export interface ActionField {
  readonly type: FieldType;
  readonly help: string;
  readonly required?: boolean;
}

/** The fields of a request by name, checked. */
export type ActionFields = ReadonlyMap<string, RawValue>;

/** What an action needs besides its request. */
export interface ActionContext {
  /** Twelve bytes for an _id. */
  newObjectId(): Buffer;
}

export interface PreparedAction {
  /** Raw BSON, ready for the server. */
  readonly command: Buffer;
  /** A command that opens a cursor answers with its documents; at most so many when they do not come as lines. */
  readonly cursor?: { readonly field: 'document' | 'documents'; readonly limit: number };
  /** Any other command: its reply as the action says it. */
  readonly answer?: (reply: Buffer) => ActionAnswer;
}

export interface ActionAnswer {
  readonly status: 200 | 201;
  readonly body: Buffer;
}

export interface Action {
  readonly name: string;
  readonly help: string;
  readonly fields: Readonly<Record<string, ActionField>>;
  /** JSON schemas of the answer's fields, and the statuses that it comes with. */
  readonly answers: { readonly statuses: readonly (200 | 201)[]; readonly fields: object };
  prepare(fields: ActionFields, context: ActionContext): PreparedAction;
}

export const NAMESPACE_FIELDS: Readonly<Record<string, ActionField>> = {
  dataSource: { type: 'string', help: 'Name of the cluster. There is one, and any name means it.' },
  database: { type: 'string', help: 'The database.', required: true },
  collection: { type: 'string', help: 'The collection.', required: true },
  maxTimeMS: { type: 'count', help: 'Milliseconds that the server may work on it.' },
};

const BSON_TYPES_OF: Readonly<Record<Exclude<FieldType, 'count'>, readonly BsonTypeCode[]>> = {
  string: [BsonType.string],
  object: [BsonType.object],
  documents: [BsonType.array],
  update: [BsonType.object, BsonType.array],
  boolean: [BsonType.bool],
};

const TYPE_NAMES: Readonly<Record<FieldType, string>> = {
  string: "type 'string'",
  object: "type 'object'",
  documents: "type 'array'",
  update: "types '[object, array]'",
  boolean: "type 'bool'",
  count: 'a whole number that is not negative',
};

/** @throws CommandError in MongoDB's words for a field that is missing, unknown, given twice or of the wrong type. */
export function checkFields(action: Action, request: Buffer): ActionFields {
  const fields = new Map<string, RawValue>();
  const cursor = new FieldCursor(request);
  while (cursor.next()) {
    const path = `${action.name}.${cursor.name}`;
    if (!Object.hasOwn(action.fields, cursor.name)) {
      throw new CommandError('IDLUnknownField', `BSON field '${path}' is an unknown field.`);
    }
    if (fields.has(cursor.name)) {
      throw new CommandError('IDLDuplicateField', `BSON field '${path}' is a duplicate field`);
    }
    fields.set(cursor.name, cursor.value());
  }
  for (const [name, field] of Object.entries(action.fields)) {
    checkField(`${action.name}.${name}`, field, fields.get(name));
  }
  return fields;
}

function checkField(path: string, field: ActionField, value: RawValue | undefined): void {
  if (value === undefined) {
    if (field.required !== true) return;
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${path}' is missing but a required field`,
    );
  }
  if (!isOfType(field.type, value)) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${path}' is the wrong type '${value.typeName}', expected ${TYPE_NAMES[field.type]}`,
    );
  }
  if (field.type === 'documents') checkElements(path, value);
}

function isOfType(type: FieldType, value: RawValue): boolean {
  if (type !== 'count') return BSON_TYPES_OF[type].includes(value.type);
  return value.isNumber && Number.isSafeInteger(value.asNumber()) && value.asNumber() >= 0;
}

function checkElements(path: string, value: RawValue): void {
  const cursor = new FieldCursor(value.asDocument());
  while (cursor.next()) {
    const { type, typeName } = cursor.value();
    if (type === BsonType.object) continue;
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${path}.${cursor.name}' is the wrong type '${typeName}', expected type 'object'`,
    );
  }
}
