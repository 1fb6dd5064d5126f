/**
 * Reading a stage's named arguments.
 */
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';
import { isValidDatabaseName } from '../../common/database-name.ts';
import { CommandError } from '../../common/errors.ts';

/** The argument's fields. @throws CommandError FailedToParse for another type or an unknown name. */
export function stageArguments(
  stage: string,
  argument: RawValue,
  known: readonly string[],
): ReadonlyMap<string, RawValue> {
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `the ${stage} specification must be an object, but found ${argument.typeName}`,
    );
  }
  const given = new Map(fieldsOf(argument.asDocument()));
  for (const name of given.keys()) {
    if (!known.includes(name)) {
      throw new CommandError('FailedToParse', `unknown argument to ${stage}: ${name}`);
    }
  }
  return given;
}

/** What a field of an IDL specification holds; `any` is whatever is there. */
type IdlType = 'object' | 'string' | 'number' | 'array of strings' | 'object or string' | 'any';

function isOfIdlType(value: RawValue, type: IdlType): boolean {
  switch (type) {
    case 'object':
      return value.type === BsonType.object;
    case 'string':
      return value.type === BsonType.string;
    case 'number':
      return value.isNumber;
    case 'array of strings':
      return (
        value.type === BsonType.array &&
        fieldValues(value).every((item) => item.type === BsonType.string)
      );
    case 'object or string':
      return value.type === BsonType.object || value.type === BsonType.string;
    case 'any':
      return true;
  }
}

function fieldValues(value: RawValue): RawValue[] {
  return Array.from(fieldsOf(value.asDocument()), ([, item]) => item);
}

/**
 * The argument's fields as MongoDB's IDL reads them: null is as good as nothing, except where anything may be.
 *
 * @param types of the fields; '!' at the end of a name: it must be there
 * @throws CommandError FailedToParse for what is no object, IDLUnknownField, TypeMismatch, IDLFailedToParse
 */
export function idlArguments(
  stage: string,
  argument: RawValue,
  types: Readonly<Record<string, IdlType>>,
): ReadonlyMap<string, RawValue> {
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `the ${stage} stage specification must be an object, found ${argument.typeName}`,
    );
  }
  const given = new Map<string, RawValue>();
  for (const [name, value] of fieldsOf(argument.asDocument())) {
    const type = types[name] ?? types[`${name}!`];
    if (type === undefined) {
      throw new CommandError(
        'IDLUnknownField',
        `BSON field '${stage}.${name}' is an unknown field.`,
      );
    }
    if (type !== 'any' && (value.type === BsonType.null || value.type === BsonType.undefined)) {
      continue;
    }
    if (!isOfIdlType(value, type)) {
      throw new CommandError(
        'TypeMismatch',
        `BSON field '${stage}.${name}' is the wrong type '${value.typeName}', expected type '${type}'`,
      );
    }
    given.set(name, value);
  }
  for (const name of Object.keys(types)) {
    if (!name.endsWith('!') || given.has(name.slice(0, -1))) continue;
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${stage}.${name.slice(0, -1)}' is missing but a required field`,
    );
  }
  return given;
}

export function stringArgument(
  stage: string,
  given: ReadonlyMap<string, RawValue>,
  name: string,
): string | undefined {
  const value = given.get(name);
  if (value === undefined) return undefined;
  if (value.type === BsonType.string) return value.asString();
  throw new CommandError(
    'FailedToParse',
    `${stage} argument '${name}' must be a string, is type ${value.typeName}`,
  );
}

/** The stages of a pipeline argument. */
export function pipelineArgument(stage: string, value: RawValue): readonly Buffer[] {
  if (value.type !== BsonType.array) {
    throw new CommandError(
      'TypeMismatch',
      `${stage} argument 'pipeline' must be an array of stages, is type ${value.typeName}`,
    );
  }
  return Array.from(fieldsOf(value.asDocument()), ([, entry]) => {
    if (entry.type === BsonType.object) return entry.asDocument();
    throw new CommandError(
      'TypeMismatch',
      "Each element of the 'pipeline' array must be an object",
    );
  });
}

/** Whether a pipeline brings its documents itself. */
export function startsWithDocuments(pipeline: readonly Buffer[]): boolean {
  const [first] = pipeline;
  return first !== undefined && [...fieldsOf(first)][0]?.[0] === '$documents';
}

/** The namespace that a stage writes to. @throws CommandError InvalidNamespace */
export function outputNamespace(stage: string, database: string, collection: string): string {
  const namespace = `${database}.${collection}`;
  const isName = collection !== '' && !collection.startsWith('.') && !collection.includes('\0');
  if (isName && isValidDatabaseName(database)) return namespace;
  throw new CommandError('InvalidNamespace', `Invalid ${stage} target namespace, ${namespace}`);
}

/** @throws CommandError for a collection of the system's, which no stage writes to. @param codes of the two errors */
export function checkOutput(
  stage: string,
  namespace: string,
  codes: { readonly special: number; readonly internal: number },
): void {
  const dot = namespace.indexOf('.');
  const database = namespace.slice(0, dot);
  const collection = namespace.slice(dot + 1);
  if (collection.startsWith('system.')) {
    throw new CommandError(codes.special, `Cannot ${stage} to special collection: ${collection}`);
  }
  if (database === 'admin' || database === 'config' || database === 'local') {
    throw new CommandError(codes.internal, `Cannot ${stage} to internal database: ${database}`);
  }
}

/** The namespace that a stage reads: a name in the same database, or {db, coll}. */
export function namespaceArgument(stage: string, value: RawValue, database: string): string {
  if (value.type === BsonType.object) {
    const parts = new Map(fieldsOf(value.asDocument()));
    const db = parts.get('db')?.asString();
    const coll = parts.get('coll')?.asString();
    if (db !== undefined && coll !== undefined) return `${db}.${coll}`;
  }
  if (value.type === BsonType.string) {
    const name = value.asString();
    if (name !== '') return `${database}.${name}`;
    throw new CommandError('InvalidNamespace', `invalid ${stage} namespace: ${database}.`);
  }
  throw new CommandError(
    'FailedToParse',
    `${stage} names its collection by a string, but found ${value.typeName}`,
  );
}
