/**
 * Documents, options and indexes of the simulated workload.
 */
import {
  arrayValue,
  ArrayBuilder,
  compileIndexKeys,
  documentOf,
  DocumentBuilder,
  doubleValue,
  encodeIndexKey,
  getField,
  int32Value,
  type IndexKeyGenerator,
  type RawValue,
} from '../../bson/index.ts';
import type { Random } from '../../common/random.ts';
import { storedIndexKey } from '../../storage/format/tree-key.ts';
import type { IndexDescription } from '../../storage/index.ts';

export const IDS = 120;

/** An index that the workload builds and drops. */
export interface IndexSpec {
  readonly name: string;
  readonly spec: Buffer;
}

export const INDEX_SPECS: readonly IndexSpec[] = [
  index('a', { a: 1 }),
  index('b', { b: 1 }),
  index('ab', { a: -1, b: 1 }),
  index('s', { s: 1 }),
  index('u', { u: 1 }, { unique: true, sparse: true }),
];

/** Lengths of the text in a document: mostly small, some that make long index keys, now and then more than a page. */
const TEXT_LENGTHS = [5, 40, 300, 2000, 20_000] as const;
/** One in so many documents fills more than an extent. */
const HUGE_EVERY = 150;
const HUGE_TEXT_LENGTH = 150_000;

export function randomDocument(id: string, random: Random, padBytes: number): Buffer {
  const builder = new DocumentBuilder();
  builder.append('_id', integerOrDouble(Number(id), random));
  // Mostly a document keeps its key, often with the other type.
  builder.append('a', integerOrDouble((Number(id) + random.below(3)) % 20, random));
  if (random.below(3) === 0) {
    const array = new ArrayBuilder();
    for (let count = random.below(4); count > 0; count -= 1)
      array.push(int32Value(random.below(10)));
    builder.append('b', arrayValue(array.finish()));
  } else {
    builder.appendInt32('b', random.below(10));
  }
  if (random.below(3) === 0) builder.appendInt32('u', random.below(500));
  if (padBytes > 0) builder.appendString('pad', 'p'.repeat(padBytes));
  const longest = TEXT_LENGTHS[Math.floor(random.next() ** 3 * TEXT_LENGTHS.length)] ?? 5;
  if (random.below(HUGE_EVERY) === 0) builder.appendString('h', 'h'.repeat(HUGE_TEXT_LENGTH));
  return builder
    .appendString('s', String.fromCharCode(97 + random.below(26)).repeat(random.below(longest)))
    .finish();
}

/** One key, two types: only what is kept beside the key tells them apart. */
function integerOrDouble(value: number, random: Random): RawValue {
  return random.below(4) === 0 ? doubleValue(value) : int32Value(value);
}

/** Options of a collection: what collMod changes, and nobody else looks at. */
export function randomOptions(random: Random): Buffer {
  return documentOf({ comment: random.below(1_000_000) });
}

export function idOf(document: Buffer): string {
  return String(getField(document, '_id')?.asNumber());
}

export function idKey(id: string): Buffer {
  return encodeIndexKey([int32Value(Number(id))], [1]).key;
}

/** Stored keys of a document in an index, as hexadecimal text. */
export function keysOf(description: IndexDescription, document: Buffer): string[] {
  return fullKeysOf(description, document).map((key) => storedForm(key).toString('hex'));
}

/** The same before any of them is cut. */
export function fullKeysOf(description: IndexDescription, document: Buffer): Buffer[] {
  return generatorOf(description)
    .keysOf(document)
    .keys.map(({ key }) => key);
}

/** How an index keeps a key. */
export function storedForm(key: Buffer): Buffer {
  return storedIndexKey(key).key;
}

function index(
  name: string,
  key: Readonly<Record<string, number>>,
  options: Readonly<Record<string, boolean>> = {},
): IndexSpec {
  return { name, spec: documentOf({ v: 2, key: documentOf(key), name, ...options }) };
}

const generators = new WeakMap<IndexDescription, IndexKeyGenerator>();

function generatorOf(description: IndexDescription): IndexKeyGenerator {
  let generator = generators.get(description);
  if (generator === undefined) {
    generator = compileIndexKeys(description.fields, { sparse: description.sparse });
    generators.set(description, generator);
  }
  return generator;
}
