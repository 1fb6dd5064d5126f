/**
 * The stable API: which commands, fields and stages belong to version 1, and what apiStrict refuses.
 *
 * Version 2 holds nothing but test commands, and only a server with acceptApiVersion2 accepts it. Nothing but one of those is deprecated.
 * Source: MongoDB's versioned API specification for drivers; manual, "Stable API".
 */
import { CommandError } from '../../common/errors.ts';
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';
import type { CommandBody } from './command-body.ts';
import type { Command } from './define-command.ts';
import type { GenericArguments } from './generic-arguments.ts';

const NO_VERSION = 4_886_600;
const VERSION_REQUIRED = 498_870;

export interface ApiCall {
  readonly command: Command;
  readonly body: CommandBody;
  readonly generic: GenericArguments;
  /** The parameter requireApiVersion. */
  readonly isRequired: boolean;
  /** The parameter acceptApiVersion2. */
  readonly acceptsVersion2: boolean;
}

export function checkApiVersion(call: ApiCall): void {
  const { command, body, generic, isRequired, acceptsVersion2 } = call;
  const { apiVersion, apiStrict, apiDeprecationErrors } = generic;
  if (apiVersion === undefined) {
    if (apiStrict !== undefined || apiDeprecationErrors !== undefined) {
      throw new CommandError(
        NO_VERSION,
        'Provided apiStrict and/or apiDeprecationErrors without passing apiVersion',
      );
    }
    if (isRequired) {
      throw new CommandError(
        VERSION_REQUIRED,
        "The apiVersion parameter is required, please configure your MongoClient's API version",
      );
    }
    return;
  }
  if (apiVersion !== '1' && !(apiVersion === '2' && acceptsVersion2)) {
    throw new CommandError(
      'APIVersionError',
      apiVersion === '2' ? 'Cannot accept API version 2' : 'API version must be "1"',
    );
  }
  if (apiStrict === true) checkStrict(command, body, apiVersion);
  if (apiDeprecationErrors !== true || command.deprecatedApiVersions?.includes(apiVersion) !== true)
    return;
  throw new CommandError(
    'APIDeprecationError',
    `Provided apiDeprecationErrors:true, but the command ${command.name} is deprecated in API Version ${apiVersion}`,
  );
}

function checkStrict(command: Command, body: CommandBody, version: string): void {
  if (command.apiVersions?.includes(version) !== true) {
    throw strictError(
      `Provided apiStrict:true, but the command ${command.name} is not in API Version ${version}. Information on supported commands and migrations in API Version ${version} can be found at https://dochub.mongodb.org/core/manual-versioned-api`,
    );
  }
  if (command.kind === 'write' && textOf(body.target) === 'system.js') {
    throw strictError(
      `Provided apiStrict:true, but the command ${command.name} attempts to write to system.js`,
    );
  }
  for (const name of command.unstableFields ?? []) {
    if (!body.contains(name)) continue;
    throw strictError(`BSON field '${command.name}.${name}' is not allowed with apiStrict:true.`);
  }
  if (command.name === 'aggregate') checkStages(body.peek('pipeline'));
  if (command.name === 'createIndexes') checkIndexes(body.peek('indexes'));
}

const UNSTABLE_INDEX_OPTIONS = ['background', 'bits', 'bucketSize', 'sparse', 'storageEngine'];

function checkIndexes(indexes: RawValue | undefined): void {
  if (indexes?.type !== BsonType.array) return;
  for (const [, spec] of fieldsOf(indexes.asDocument())) {
    if (spec.type !== BsonType.object) continue;
    for (const [name] of fieldsOf(spec.asDocument())) {
      if (!UNSTABLE_INDEX_OPTIONS.includes(name)) continue;
      throw strictError(
        `BSON field 'createIndexes.indexes.${name}' is not allowed with apiStrict:true.`,
      );
    }
  }
}

/** Stages that MongoDB may change at any time. */
const UNSTABLE_STAGES: ReadonlySet<string> = new Set([
  '$currentOp',
  '$indexStats',
  '$listLocalSessions',
  '$listSessions',
  '$planCacheStats',
  '$search',
  '$searchMeta',
  '$vectorSearch',
  '$listSampledQueries',
  '$queryStats',
  '$shardedDataDistribution',
  '$listClusterCatalog',
]);

/** Those in pipelines within pipelines included. */
function checkStages(pipeline: RawValue | undefined): void {
  if (pipeline?.type !== BsonType.array) return;
  for (const [, stage] of fieldsOf(pipeline.asDocument())) {
    if (stage.type !== BsonType.object) continue;
    for (const [name, argument] of fieldsOf(stage.asDocument())) checkStage(name, argument);
  }
}

function checkStage(name: string, argument: RawValue): void {
  if (UNSTABLE_STAGES.has(name) || (name === '$collStats' && !onlyCounts(argument))) {
    throw strictError(`${name} is not allowed with 'apiStrict: true' in API Version 1`);
  }
  if (argument.type !== BsonType.object) return;
  for (const [field, value] of fieldsOf(argument.asDocument())) {
    if (field === 'pipeline' || name === '$facet') checkStages(value);
  }
}

/** What drivers count documents with is part of the API. */
function onlyCounts(argument: RawValue): boolean {
  if (argument.type !== BsonType.object) return true;
  return [...fieldsOf(argument.asDocument())].every(([name]) => name === 'count');
}

function textOf(value: RawValue): string | undefined {
  return value.type === BsonType.string ? value.asString() : undefined;
}

function strictError(message: string): CommandError {
  return new CommandError('APIStrictError', message);
}
