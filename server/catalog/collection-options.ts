/**
 * The options of create: one definition each, in the order in which listCollections shows them.
 *
 * Owns: how each is read and checked, which go together, and the one stored form of each, so that two collections were
 * created alike exactly when their options are equal.
 * Never: compiles a validator or resolves a view (the commands do, with an operation at hand).
 * Source: MongoDB's manual, "create".
 */
import {
  ArrayBuilder,
  arrayValue,
  booleanValue,
  BsonType,
  documentOf,
  documentValue,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  fieldsOf,
  integerValue,
  isEmpty,
  type RawValue,
  stringValue,
  TRUE,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileCollation } from '../../query/index.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import type { CommandBody } from '../command/command-body.ts';
import { nestedBody } from '../command/nested-body.ts';
import { readClusteredIndex } from './clustered-index.ts';
import { readExpireAfterSeconds } from './expire-after-seconds.ts';
import { namespaceOf } from './namespace.ts';
import { checkTimeseriesCombination, readTimeseries } from './timeseries-options.ts';
import { checkWiredTigerSettings } from './wired-tiger-config.ts';

/** What create asks for, checked as far as it can be without the catalog. */
export interface RequestedCollection {
  readonly kind: CollectionDescription['kind'];
  /** In their stored form: what listCollections will show. */
  readonly options: Buffer;
  /** The specification of the `_id` index that the client gave. */
  readonly idIndex: Buffer | undefined;
}

/** One option. */
interface CollectionOption {
  readonly name: string;
  /** What is stored; undefined when it is absent, or says what holds anyway. */
  readonly read: (body: CommandBody, name: string) => RawValue | undefined;
}

const OPTIONS: readonly CollectionOption[] = [
  { name: 'capped', read: flag },
  { name: 'size', read: (body) => cappedSize(body, 'size') },
  { name: 'max', read: (body) => cappedMax(body, 'max') },
  { name: 'changeStreamPreAndPostImages', read: readImages },
  { name: 'storageEngine', read: readStorageEngine },
  { name: 'indexOptionDefaults', read: readIndexDefaults },
  { name: 'validator', read: readValidator },
  { name: 'validationLevel', read: (body, name) => choice(body, name, VALIDATION_LEVELS) },
  { name: 'validationAction', read: (body, name) => choice(body, name, VALIDATION_ACTIONS) },
  { name: 'collation', read: readCollation },
  { name: 'clusteredIndex', read: readClusteredIndex },
  { name: 'expireAfterSeconds', read: readExpireAfterSeconds },
  { name: 'viewOn', read: readViewOn },
  { name: 'pipeline', read: readPipeline },
  { name: 'timeseries', read: readTimeseries },
];

/** @throws CommandError InvalidOptions, BadValue, TypeMismatch and what else MongoDB has for a wrong option */
export function parseCollectionOptions(body: CommandBody): RequestedCollection {
  // Every collection has its _id index, as in MongoDB since 4.0; the others have lost their meaning there, too.
  body.ignore('autoIndexId', 'flags', 'recordPreImages');
  uassert(
    !body.safeBoolean('temp', false),
    'InvalidOptions',
    "the 'temp' field is an invalid option",
  );
  uassert(
    body.document('encryptedFields', undefined) === undefined,
    6346402,
    'Encrypted collections are not supported on standalone',
  );
  const idIndex = body.document('idIndex', undefined);
  const stored = new Map<string, RawValue>();
  for (const { name, read } of OPTIONS) {
    const value = read(body, name);
    if (value !== undefined) stored.set(name, value);
  }
  if (stored.has('timeseries')) {
    const names = idIndex === undefined ? stored.keys() : [...stored.keys(), 'idIndex'];
    checkTimeseriesCombination(namespaceOf(body.database, body.target.asString()), names);
  }
  checkCombination(stored, idIndex);
  return { kind: kindOf(stored), options: storedForm(stored), idIndex };
}

function kindOf(stored: ReadonlyMap<string, RawValue>): CollectionDescription['kind'] {
  if (stored.has('viewOn')) return 'view';
  return stored.has('timeseries') ? 'timeseries' : 'collection';
}

/** Options in the order of the table, whatever the order of the map. */
export function storedForm(values: ReadonlyMap<string, RawValue>): Buffer {
  if (values.size === 0) return EMPTY_DOCUMENT;
  const out = new DocumentBuilder();
  for (const { name } of OPTIONS) {
    const value = values.get(name);
    if (value !== undefined) out.append(name, value);
  }
  return out.finish();
}

/** Stored options with some of them changed: collMod. undefined takes an option out. */
export function withOptions(
  options: Buffer,
  changes: ReadonlyMap<string, RawValue | undefined>,
): Buffer {
  const values = new Map<string, RawValue>(fieldsOf(options));
  for (const [name, value] of changes) {
    if (value === undefined) values.delete(name);
    else values.set(name, value);
  }
  return storedForm(values);
}

/** Options that no view has. */
const NOT_ON_A_VIEW = [
  'capped',
  'size',
  'max',
  'changeStreamPreAndPostImages',
  'storageEngine',
  'indexOptionDefaults',
  'validator',
  'validationLevel',
  'validationAction',
  'clusteredIndex',
  'expireAfterSeconds',
  'timeseries',
] as const;

function checkCombination(
  stored: ReadonlyMap<string, RawValue>,
  idIndex: Buffer | undefined,
): void {
  const needs = (condition: boolean, message: string): void =>
    uassert(condition, 'InvalidOptions', message);
  if (stored.has('clusteredIndex')) checkClustered(stored);
  else {
    needs(
      !stored.has('capped') || stored.has('size'),
      "the 'size' field is required when 'capped' is true",
    );
    needs(
      stored.has('capped') || (!stored.has('size') && !stored.has('max')),
      "the 'capped' field needs to be true when either the 'size' or 'max' fields are present",
    );
  }
  needs(
    !stored.has('pipeline') || stored.has('viewOn'),
    "'pipeline' requires 'viewOn' to also be specified",
  );
  needs(
    !stored.has('expireAfterSeconds') || stored.has('timeseries') || stored.has('clusteredIndex'),
    "'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified",
  );
  if (!stored.has('viewOn')) return;
  needs(idIndex === undefined, "'idIndex' is not allowed with 'viewOn'");
  for (const name of NOT_ON_A_VIEW) {
    needs(!stored.has(name), `option not supported on a view: ${name}`);
  }
}

function checkClustered(stored: ReadonlyMap<string, RawValue>): void {
  const forCapped = ['size', 'max'] as const;
  for (const [index, name] of forCapped.entries()) {
    uassert(
      !stored.has(name),
      index === 0 ? 6049200 : 6049204,
      `'${name}' field for capped collections is not allowed on clustered collections. ` +
        "Did you mean 'capped: true' with 'expireAfterSeconds'?",
    );
  }
  uassert(
    !stored.has('capped'),
    6127800,
    "Clustered capped collection only available with 'enableTestCommands' server parameter",
  );
}

function flag(body: CommandBody, name: string): RawValue | undefined {
  return body.safeBoolean(name, false) ? TRUE : undefined;
}

/** One petabyte. */
const MAX_CAPPED_BYTES = 2 ** 50;
/** Sizes are multiples of it: they are rounded up, as MongoDB does. */
const CAPPED_GRAIN_BYTES = 256;
const MAX_CAPPED_COUNT = 2 ** 31;

/** The size of a capped collection, bytes, as it is stored. */
export function cappedSize(body: CommandBody, name: string): RawValue | undefined {
  const size = body.integer(name, undefined, 1);
  if (size === undefined) return undefined;
  if (size > MAX_CAPPED_BYTES) throw body.outOfRange(name, `<= ${MAX_CAPPED_BYTES}`, size);
  return integerValue(Math.ceil(size / CAPPED_GRAIN_BYTES) * CAPPED_GRAIN_BYTES);
}

/** How many documents a capped collection holds at most; undefined for no limit. */
export function cappedMax(body: CommandBody, name: string): RawValue | undefined {
  const max = body.integer(name, undefined);
  if (max === undefined) return undefined;
  if (max >= MAX_CAPPED_COUNT) throw body.outOfRange(name, `< ${MAX_CAPPED_COUNT}`, max);
  // MongoDB's "no limit" is shown as the largest int32.
  return integerValue(max <= 0 ? MAX_CAPPED_COUNT - 1 : max);
}

/** `{enabled: true}`; undefined for false, which is the default. */
export function readImages(body: CommandBody, name: string): RawValue | undefined {
  const given = body.document(name, undefined);
  if (given === undefined) return undefined;
  const options = nestedBody(`${body.command}.${name}`, given, body);
  const enabled = options.safeBoolean('enabled', false);
  options.rejectUnknownFields();
  return enabled ? documentValue(documentOf({ enabled: booleanValue(true) })) : undefined;
}

/** Engines of MongoDB. Settings of wiredTiger are checked, and its compressor is used; those of another engine mean nothing. */
const STORAGE_ENGINES: ReadonlySet<string> = new Set(['wiredTiger', 'inMemory']);

function readStorageEngine(body: CommandBody, name: string): RawValue | undefined {
  const given = body.document(name, undefined);
  if (given === undefined || isEmpty(given)) return undefined;
  checkStorageEngine(given);
  return documentValue(given);
}

function checkStorageEngine(engines: Buffer): void {
  for (const [engine, settings] of fieldsOf(engines)) {
    uassert(
      settings.type === BsonType.object,
      'BadValue',
      `'storageEngine.${engine}' has to be an embedded document.`,
    );
    uassert(
      STORAGE_ENGINES.has(engine),
      'InvalidOptions',
      `${engine} is not a registered storage engine for this server`,
    );
    if (engine === 'wiredTiger') checkWiredTigerSettings(settings.asDocument());
  }
}

function readIndexDefaults(body: CommandBody, name: string): RawValue | undefined {
  const given = body.document(name, undefined);
  if (given === undefined) return undefined;
  const defaults = nestedBody(`create.${name}`, given, body);
  const engines = defaults.document('storageEngine', undefined);
  defaults.rejectUnknownFields();
  if (engines === undefined) return undefined;
  checkStorageEngine(engines);
  return documentValue(given);
}

function readValidator(body: CommandBody, name: string): RawValue | undefined {
  const given = body.document(name, undefined);
  return given === undefined || isEmpty(given) ? undefined : documentValue(given);
}

export const VALIDATION_LEVELS = ['off', 'strict', 'moderate'] as const;
export const VALIDATION_ACTIONS = ['error', 'warn'] as const;

/** @throws CommandError BadValue for a name that is none of `names` */
export function choice(
  body: CommandBody,
  name: string,
  names: readonly string[],
): RawValue | undefined {
  const given = body.string(name, undefined);
  if (given === undefined) return undefined;
  if (names.includes(given)) return stringValue(given);
  throw new CommandError(
    'BadValue',
    `Enumeration value '${given}' for field '${body.command}.${name}' is not a valid value.`,
  );
}

/** The whole collation with its defaults; undefined for the simple one. */
function readCollation(body: CommandBody, name: string): RawValue | undefined {
  const given = body.document(name, undefined);
  if (given === undefined) return undefined;
  uassert(!isEmpty(given), 'BadValue', "'collation' cannot be an empty document");
  const collator = compileCollation(given);
  return collator === undefined ? undefined : documentValue(collator.spec);
}

export function readViewOn(body: CommandBody, name: string): RawValue | undefined {
  const given = body.string(name, undefined);
  if (given === undefined) return undefined;
  uassert(given !== '', 'BadValue', "'viewOn' cannot be empty");
  return stringValue(given);
}

/** The stages; a view without the option has none, and shows an empty array. */
export function readPipeline(body: CommandBody, name: string): RawValue | undefined {
  const stages = body.documents(name, undefined);
  if (stages === undefined) return body.has('viewOn') ? arrayValue(EMPTY_DOCUMENT) : undefined;
  const list = new ArrayBuilder();
  for (const stage of stages) list.pushDocument(stage);
  return arrayValue(list.finish());
}
