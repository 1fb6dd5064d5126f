/**
 * Finds top-level fields of a document in one walk, and tests each as soon as it is found.
 *
 * Owns: the hot loop of unindexed queries; bench/micro/query/matcher.bench.ts measures it.
 * Promises: compares names as bytes; allocates nothing; stops at the first test that fails, and when all were found. A field
 * that occurs twice is tested where it occurs first; a field that does not occur is tested as missing.
 */
import { readInt32, valueEndOf } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { nameEndAfter } from './path-test.ts';
import type { DocumentTest, ValueTest } from './tree.ts';

/** One field of a document and what is asked of it. */
export interface FieldCondition {
  readonly field: string;
  readonly test: ValueTest;
}

/** All conditions hold; found in one walk over the document. At most 30 different fields. */
export function allFieldsTest(conditions: readonly FieldCondition[]): DocumentTest {
  const [first, second] = conditions;
  if (first === undefined) return () => true;
  return second === undefined ? oneFieldTest(first) : manyFieldsTest(conditions);
}

function oneFieldTest({ field, test }: FieldCondition): DocumentTest {
  const name = Buffer.from(field);
  const size = name.length;
  return (bytes, start) => {
    const limit = limitOf(bytes, start);
    let at = start + 4;
    while (at < limit) {
      const type = bytes[at];
      at += 1;
      let matched = 0;
      while (matched < size && bytes[at + matched] === name[matched]) matched += 1;
      let nameEnd = at + matched;
      while (bytes[nameEnd] > 0) nameEnd += 1;
      const valueStart = nameEnd + 1;
      const end = valueEndOf(bytes, type, valueStart, limit);
      if (matched === size && nameEnd === at + size) return test(type, bytes, valueStart, end);
      at = end;
    }
    return test(0, bytes, 0, 0);
  };
}

function manyFieldsTest(conditions: readonly FieldCondition[]): DocumentTest {
  const names = conditions.map(({ field }) => Buffer.from(field));
  const sizes = Uint16Array.from(names, (name) => name.length);
  const tests = conditions.map(({ test }) => test);
  const count = conditions.length;
  const all = 2 ** count - 1;
  return (bytes, start) => {
    const limit = limitOf(bytes, start);
    let at = start + 4;
    let found = 0;
    while (at < limit) {
      const type = bytes[at];
      const nameStart = at + 1;
      const nameEnd = nameEndAfter(bytes, nameStart);
      const nameSize = nameEnd - nameStart;
      const valueStart = nameEnd + 1;
      const end = valueEndOf(bytes, type, valueStart, limit);
      for (let index = 0; index < count; index += 1) {
        if (sizes[index] !== nameSize || !nameIs(bytes, nameStart, names[index])) continue;
        const bit = 1 << index;
        if ((found & bit) !== 0) break;
        if (!tests[index](type, bytes, valueStart, end)) return false;
        found |= bit;
        if (found === all) return true;
        break;
      }
      at = end;
    }
    for (let index = 0; index < count; index += 1) {
      if ((found & (1 << index)) === 0 && !tests[index](0, bytes, 0, 0)) return false;
    }
    return true;
  };
}

/** The document's final NUL. @throws CommandError InvalidBSON when its length leaves the buffer: values inside cannot, then. */
function limitOf(bytes: Buffer, start: number): number {
  const limit = start + readInt32(bytes, start) - 1;
  if (limit < bytes.length) return limit;
  throw new CommandError('InvalidBSON', 'a document does not fit its bytes');
}

function nameIs(bytes: Buffer, start: number, name: Buffer): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
