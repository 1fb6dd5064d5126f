/**
 * Indexes: the many forms of a key pattern, and createIndexes.
 */
import type { Document } from 'bson';
import type {
  CreateIndexesOptions,
  IndexDescription,
  IndexDirection,
  IndexSpecification,
} from '../types/options.ts';
import type { Scope } from './scope.ts';

/** What of createIndex's options belongs to the index, not to the command. */
const OF_INDEX: ReadonlySet<string> = new Set([
  'background',
  'unique',
  'name',
  'partialFilterExpression',
  'sparse',
  'hidden',
  'expireAfterSeconds',
  'storageEngine',
  'collation',
  'version',
  'weights',
  'default_language',
  'language_override',
  'textIndexVersion',
  '2dsphereIndexVersion',
  'bits',
  'min',
  'max',
  'bucketSize',
  'wildcardProjection',
]);

type Key = Map<string, IndexDirection>;

/** A key pattern in order. `'a'`, `['a', 'b']`, `[['a', 1]]`, `{ a: 1 }`, a Map. */
export function keyOf(spec: IndexSpecification): Key {
  const key: Key = new Map();
  addKeys(key, spec);
  return key;
}

function addKeys(key: Key, spec: IndexSpecification): void {
  if (typeof spec === 'string') {
    key.set(spec, 1);
  } else if (spec instanceof Map) {
    for (const [field, direction] of spec) key.set(field, direction);
  } else if (isPair(spec)) {
    key.set(spec[0], spec[1]);
  } else if (isList(spec)) {
    for (const part of spec) addKeys(key, part);
  } else {
    for (const [field, direction] of Object.entries(spec)) key.set(field, direction);
  }
}

const KINDS = new Set<unknown>([-1, 1, '2d', '2dsphere', 'text', 'geoHaystack', 'hashed']);

function isPair(spec: IndexSpecification): spec is [string, IndexDirection] {
  return (
    Array.isArray(spec) &&
    spec.length === 2 &&
    typeof spec[0] === 'string' &&
    (typeof spec[1] === 'number' || KINDS.has(spec[1]))
  );
}

function isList(spec: IndexSpecification): spec is readonly IndexSpecification[] {
  return Array.isArray(spec);
}

/** The description of one index from a key pattern and createIndex's options. */
export function describeIndex(spec: IndexSpecification, options: Document): IndexDescription {
  const own = Object.entries(options).filter(([name]) => OF_INDEX.has(name));
  return { ...Object.fromEntries(own), key: keyOf(spec) };
}

/** @returns the indexes' names. */
export async function createIndexes(
  scope: Scope,
  descriptions: readonly IndexDescription[],
  options: CreateIndexesOptions,
): Promise<string[]> {
  const indexes = descriptions.map((description): Document => {
    const key =
      description.key instanceof Map ? description.key : new Map(Object.entries(description.key));
    const name = description.name ?? [...key].flat().join('_');
    const { version, key: _key, name: _name, ...rest } = description;
    return { ...rest, ...(version === undefined ? {} : { v: version }), name, key };
  });
  const command: Document = { createIndexes: scope.collection, indexes };
  if (options.commitQuorum !== undefined) command['commitQuorum'] = options.commitQuorum;
  if (options.comment !== undefined) command['comment'] = options.comment;
  if (options.maxTimeMS !== undefined) command['maxTimeMS'] = options.maxTimeMS;
  const { collation: _ofIndexes, ...rest } = options;
  await scope.run(command, rest, { kind: 'other', takesWriteConcern: true, ignoresRaw: true });
  return indexes.map((index) => String(index['name']));
}
