/**
 * Documents and indexes of the simulated workload.
 */
import {
  arrayValue,
  ArrayBuilder,
  compileIndexKeys,
  documentOf,
  DocumentBuilder,
  encodeIndexKey,
  getField,
  int32Value,
  type IndexKeyGenerator,
} from '../../bson/index.ts';
import type { Random } from '../../common/random.ts';
import { storedIndexKey } from '../../storage/format/tree-key.ts';
import type { IndexDescription } from '../../storage/index.ts';

export const IDS = 120;

/** Specifications that the workload builds and drops. */
export const INDEX_SPECS: readonly Buffer[] = [
  documentOf({ v: 2, key: documentOf({ a: 1 }), name: 'a' }),
  documentOf({ v: 2, key: documentOf({ b: 1 }), name: 'b' }),
  documentOf({ v: 2, key: documentOf({ a: -1, b: 1 }), name: 'ab' }),
  documentOf({ v: 2, key: documentOf({ s: 1 }), name: 's' }),
  documentOf({ v: 2, key: documentOf({ u: 1 }), name: 'u', unique: true, sparse: true }),
];

export function randomDocument(id: string, random: Random, padBytes: number): Buffer {
  const builder = new DocumentBuilder().appendInt32('_id', Number(id));
  builder.appendInt32('a', random.below(20));
  if (random.below(3) === 0) {
    const array = new ArrayBuilder();
    for (let count = random.below(4); count > 0; count -= 1)
      array.push(int32Value(random.below(10)));
    builder.append('b', arrayValue(array.finish()));
  } else {
    builder.appendInt32('b', random.below(10));
  }
  if (random.below(3) === 0) builder.appendInt32('u', random.below(500));
  // Mostly small, some that make long index keys, now and then one larger than a page.
  const size = [5, 40, 300, 2000, 20_000][Math.floor(random.next() ** 3 * 5)];
  if (padBytes > 0) builder.appendString('pad', 'p'.repeat(padBytes));
  return builder
    .appendString('s', String.fromCharCode(97 + random.below(26)).repeat(random.below(size)))
    .finish();
}

export function idOf(document: Buffer): string {
  return String(getField(document, '_id')?.asNumber());
}

export function idKey(id: string): Buffer {
  return encodeIndexKey([int32Value(Number(id))], [1]).key;
}

/** Stored keys of a document in an index, as hexadecimal text. */
export function keysOf(index: IndexDescription, document: Buffer): string[] {
  return generatorOf(index)
    .keysOf(document)
    .keys.map(({ key }) => storedIndexKey(key).key.toString('hex'));
}

const generators = new WeakMap<IndexDescription, IndexKeyGenerator>();

function generatorOf(index: IndexDescription): IndexKeyGenerator {
  let generator = generators.get(index);
  if (generator === undefined) {
    generator = compileIndexKeys(index.fields, { sparse: index.sparse });
    generators.set(index, generator);
  }
  return generator;
}
