/**
 * Keys of a wildcard index: one for each covered path and value, as (path, value) in the place of the wildcard field.
 *
 * Arrays are walked through and leave no part in the path; an array that stands directly in an array is one value. An empty
 * object is a value, an empty array is undefined. A path that leads through an array in some document is noted by a key of its
 * own in that document's entries, (1, path) in the place of (path, value) and MinKey in all others: 1 sorts before all paths.
 * A document without any covered value has one key in a compound index, with MinKey for path and value, and none in a simple one.
 * Source: MongoDB's manual, "Wildcard Indexes on Embedded Objects and Arrays", "Compound Wildcard Indexes".
 */
import {
  BsonType,
  type Collator,
  type Direction,
  encodeIndexKey,
  type EncodedKey,
  FieldCursor,
  int32Value,
  KeyPaths,
  MIN_KEY,
  type MultikeyPaths,
  type RawValue,
  sortedWithoutDuplicates,
  stringValue,
  UNDEFINED_VALUE,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { IndexDescription, KeyGenerator } from '../../../storage/index.ts';
import { collatedValue } from '../collation.ts';
import { type Coverage, CoveredPaths } from './covered-paths.ts';

/** In the place of a path: what follows is a path that leads through an array. */
const MULTIKEY_PATH = int32Value(1);

/** The directions of a key's values: a wildcard field is two of them, its path always ascending. */
export function keyDirections({ fields }: Pick<IndexDescription, 'fields'>): readonly Direction[] {
  return fields.flatMap(({ kind, direction }) =>
    kind === 'wildcard' ? [1 as const, direction] : [direction],
  );
}

/** The key that says of a path that it leads through an array. */
export function multikeyPathKey(index: Pick<IndexDescription, 'fields'>, path: string): EncodedKey {
  const values = index.fields.flatMap(({ kind }) =>
    kind === 'wildcard' ? [MULTIKEY_PATH, stringValue(path)] : [MIN_KEY],
  );
  return encodeIndexKey(values, keyDirections(index));
}

export class WildcardKeys implements KeyGenerator {
  private readonly index: IndexDescription;
  private readonly collator: Collator | undefined;
  private readonly covered: CoveredPaths;
  private readonly directions: readonly Direction[];
  private readonly wildcardAt: number;
  private readonly others: KeyPaths | undefined;

  constructor(index: IndexDescription, collator: Collator | undefined) {
    this.index = index;
    this.collator = collator;
    this.covered = new CoveredPaths(index);
    this.directions = keyDirections(index);
    this.wildcardAt = index.fields.findIndex(({ kind }) => kind === 'wildcard');
    const paths = index.fields.filter(({ kind }) => kind !== 'wildcard').map(({ path }) => path);
    this.others = paths.length === 0 ? undefined : new KeyPaths(paths);
  }

  keysOf(document: Buffer): {
    keys: EncodedKey[];
    multikeyPaths: MultikeyPaths | undefined;
  } {
    const others = this.othersOf(document);
    const walk = new ValueWalk((path, value) =>
      keys.push(this.encode(others, stringValue(path), this.collated(value))),
    );
    const keys: EncodedKey[] = [];
    walk.document(document, 0, this.covered.root, '');
    if (keys.length === 0 && this.others !== undefined) {
      keys.push(this.encode(others, MIN_KEY, MIN_KEY));
    }
    const { arrays } = walk;
    if (arrays.size === 0) return { keys: sortedWithoutDuplicates(keys), multikeyPaths: undefined };
    for (const path of arrays) keys.push(multikeyPathKey(this.index, path));
    return {
      keys: sortedWithoutDuplicates(keys),
      // That there are arrays at all; where, its entries tell.
      multikeyPaths: this.index.fields.map(({ kind }) => (kind === 'wildcard' ? [0] : [])),
    };
  }

  private othersOf(document: Buffer): readonly (RawValue | undefined)[] {
    if (this.others === undefined) return [];
    const values = this.others.tryPlain(document);
    if (values !== undefined) return values.map((value) => value && this.collated(value));
    throw new CommandError(
      7246301,
      'The regular fields of a compound wildcard index may not lead to arrays',
    );
  }

  private collated(value: RawValue): RawValue {
    return this.collator === undefined ? value : collatedValue(value, this.collator);
  }

  private encode(
    others: readonly (RawValue | undefined)[],
    path: RawValue,
    value: RawValue,
  ): EncodedKey {
    const before = others.slice(0, this.wildcardAt);
    const after = others.slice(this.wildcardAt);
    return encodeIndexKey([...before, path, value, ...after], this.directions);
  }
}

/** Visits the covered values of a document. */
class ValueWalk {
  /** Paths that lead through an array. */
  readonly arrays = new Set<string>();
  private readonly visit: (path: string, value: RawValue) => void;

  constructor(visit: (path: string, value: RawValue) => void) {
    this.visit = visit;
  }

  document(bytes: Buffer, start: number, coverage: Coverage, prefix: string): void {
    const cursor = new FieldCursor(bytes, start);
    while (cursor.next()) {
      const { name } = cursor;
      // No query names such a field: the dot would part it.
      if (name.includes('.')) continue;
      const below = coverage.field(name);
      if (below !== undefined) this.value(cursor.value(), below, prefix + name);
    }
  }

  private value(value: RawValue, coverage: Coverage, path: string): void {
    if (value.type === BsonType.array) this.array(value, coverage, path);
    else this.element(value, coverage, path);
  }

  private array(array: RawValue, coverage: Coverage, path: string): void {
    this.arrays.add(path);
    const cursor = new FieldCursor(array.bytes, array.start);
    let isEmpty = true;
    while (cursor.next()) {
      isEmpty = false;
      this.element(cursor.value(), coverage, path);
    }
    if (isEmpty && coverage.coversValue) this.visit(path, UNDEFINED_VALUE);
  }

  /** Of an array, or of an object: an array that comes here stands in an array, and is one value. */
  private element(value: RawValue, coverage: Coverage, path: string): void {
    const isObject = value.type === BsonType.object;
    if (isObject && value.end - value.start > EMPTY_BYTES) {
      this.document(value.bytes, value.start, coverage, `${path}.`);
    } else if (coverage.coversValue) {
      this.visit(path, value);
    }
  }
}

const EMPTY_BYTES = 5;
