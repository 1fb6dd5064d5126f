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
  const name = value.asString();
  if (value.type === BsonType.string && name !== '') return `${database}.${name}`;
  throw new CommandError(
    'FailedToParse',
    `${stage} names its collection by a string, but found ${value.typeName}`,
  );
}
