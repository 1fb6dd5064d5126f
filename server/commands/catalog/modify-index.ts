/**
 * collMod's `index`: which index, and what becomes of its attributes.
 *
 * Owns: the rules for each attribute, the new specification, and the old and new values of the reply. Finding duplicates
 * before an index becomes unique is index-duplicates.ts' business.
 * Source: MongoDB's manual, "collMod".
 */
import {
  compareDocuments,
  getField,
  inspect,
  integerValue,
  type RawValue,
  setField,
  TRUE,
  unsetField,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { namespaceOfBuckets } from '../../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { cappedLimitsOf } from '../../catalog/capped-collections.ts';
import { checkExpireAfterSeconds } from '../../catalog/expire-after-seconds.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { ReplyFields } from '../../command/reply.ts';

/** What is asked of one index. */
export interface IndexChange {
  readonly name: string | undefined;
  readonly keyPattern: Buffer | undefined;
  readonly expireAfterSeconds: number | undefined;
  readonly hidden: boolean | undefined;
  readonly unique: boolean | undefined;
  readonly prepareUnique: boolean | undefined;
}

/** @throws CommandError InvalidOptions, BadValue */
export function parseIndexChange(parent: CommandBody): IndexChange | undefined {
  const given = parent.document('index', undefined);
  if (given === undefined) return undefined;
  const body = nestedBody('collMod.index', given, parent);
  const change: IndexChange = {
    name: body.string('name', undefined),
    keyPattern: body.document('keyPattern', undefined),
    expireAfterSeconds: body.integer('expireAfterSeconds', undefined),
    hidden: body.safeBoolean('hidden', undefined),
    unique: body.safeBoolean('unique', undefined),
    prepareUnique: body.safeBoolean('prepareUnique', undefined),
  };
  body.rejectUnknownFields();
  checkChange(change);
  return change;
}

function checkChange(change: IndexChange): void {
  const { name, keyPattern, expireAfterSeconds, hidden, unique, prepareUnique } = change;
  const needs = (condition: boolean, message: string): void =>
    uassert(condition, 'InvalidOptions', message);
  needs(
    name === undefined || keyPattern === undefined,
    'Cannot specify both key pattern and name.',
  );
  needs(
    name !== undefined || keyPattern !== undefined,
    'Must specify either index name or key pattern.',
  );
  const changes = [expireAfterSeconds, hidden, unique, prepareUnique].filter(
    (value) => value !== undefined,
  );
  needs(changes.length > 0, 'no expireAfterSeconds, hidden, unique, or prepareUnique field');
  uassert(unique !== false, 'BadValue', 'Cannot make index non-unique');
  needs(
    prepareUnique === undefined || changes.length === 1,
    'prepareUnique cannot be combined with any other modification.',
  );
  if (expireAfterSeconds !== undefined) checkExpireAfterSeconds(expireAfterSeconds);
}

/** @throws CommandError IndexNotFound, AmbiguousIndexKeyPattern */
export function targetIndex(
  collection: CollectionDescription,
  { name, keyPattern }: Pick<IndexChange, 'name' | 'keyPattern'>,
): IndexDescription {
  const fits = collection.indexes.filter((index) =>
    name === undefined ? hasPattern(index, keyPattern) : index.name === name,
  );
  const [found, other] = fits;
  if (found === undefined) {
    const what = name ?? inspect(keyPattern!);
    throw new CommandError(
      'IndexNotFound',
      `cannot find index ${what} for ns ${collection.namespace}`,
    );
  }
  if (other === undefined) return found;
  throw new CommandError(
    'AmbiguousIndexKeyPattern',
    `index keyPattern ${inspect(keyPattern!)} matches ${fits.length} indexes, must use index name. ` +
      `Conflicting indexes:${inspect(found.spec)}, ${inspect(other.spec)}`,
  );
}

function hasPattern(index: IndexDescription, keyPattern: Buffer | undefined): boolean {
  const own = getField(index.spec, 'key')?.asDocument();
  return own !== undefined && keyPattern !== undefined && compareDocuments(own, keyPattern) === 0;
}

interface ModifiedIndex {
  readonly index: IndexDescription;
  readonly spec: Buffer;
  /** Old and new values of what really changed. */
  readonly reply: ReplyFields;
}

/** @throws CommandError InvalidOptions, BadValue for a change that this index cannot have */
export function modifyIndex(collection: CollectionDescription, change: IndexChange): ModifiedIndex {
  const index = targetIndex(collection, change);
  let { spec } = index;
  const reply: Record<string, number | boolean | undefined> = {};
  const set = (name: string, value: RawValue | undefined): void => {
    spec = value === undefined ? unsetField(spec, name) : setField(spec, name, value);
  };
  const { expireAfterSeconds, hidden, unique, prepareUnique } = change;
  if (expireAfterSeconds !== undefined) {
    checkExpiry(collection, index);
    reply.expireAfterSeconds_old = getField(spec, 'expireAfterSeconds')?.asNumber();
    reply.expireAfterSeconds_new = expireAfterSeconds;
    set('expireAfterSeconds', integerValue(expireAfterSeconds));
  }
  if (hidden !== undefined && checkHidden(collection, index) !== hidden) {
    reply.hidden_old = !hidden;
    reply.hidden_new = hidden;
    set('hidden', hidden ? TRUE : undefined);
  }
  if (unique === true && !index.unique) {
    checkPrepared(index);
    reply.unique_new = true;
    set('prepareUnique', undefined);
    set('unique', TRUE);
  }
  if (
    prepareUnique !== undefined &&
    !index.unique &&
    isSet(index, 'prepareUnique') !== prepareUnique
  ) {
    reply.prepareUnique_old = !prepareUnique;
    reply.prepareUnique_new = prepareUnique;
    set('prepareUnique', prepareUnique ? TRUE : undefined);
  }
  return { index, spec, reply };
}

function isSet(index: IndexDescription, name: string): boolean {
  return getField(index.spec, name)?.isTruthy() === true;
}

const ID_INDEX_NAME = '_id_';

function checkExpiry(collection: CollectionDescription, index: IndexDescription): void {
  const needs = (condition: boolean, message: string): void =>
    uassert(condition, 'InvalidOptions', message);
  needs(
    cappedLimitsOf(collection.options) === undefined,
    'TTL indexes are not supported for capped collections.',
  );
  if (isSet(index, 'expireAfterSeconds')) return;
  needs(index.name !== ID_INDEX_NAME, 'the _id field does not support TTL indexes');
  needs(
    index.fields.length === 1,
    'TTL indexes are single-field indexes, compound indexes do not support TTL',
  );
}

/** @returns whether it is hidden now */
function checkHidden(collection: CollectionDescription, index: IndexDescription): boolean {
  uassert(
    !isSet(index, 'clustered'),
    6_011_800,
    "The 'hidden' option is not supported for a clusteredIndex",
  );
  uassert(
    !collection.namespace.includes('.system.') ||
      namespaceOfBuckets(collection.namespace) !== undefined,
    'BadValue',
    "Can't hide index on system collection",
  );
  uassert(index.name !== ID_INDEX_NAME, 'BadValue', "can't hide _id index");
  return isSet(index, 'hidden');
}

/** An index becomes unique in two steps, so that no duplicates are written while it is looked for old ones. */
export function checkPrepared(index: IndexDescription): void {
  uassert(
    isSet(index, 'prepareUnique'),
    'InvalidOptions',
    "Cannot make index unique with 'prepareUnique=false'. Run collMod to set it first.",
  );
}
