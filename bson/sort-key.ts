/**
 * Sort patterns: the key of a document under one, and the order of keys.
 *
 * Promises: a document sorts where an index on the same pattern would put its first entry: of an array the smallest
 * element for an ascending field, the largest for a descending one; an empty array below null.
 */
import { CommandError } from '../common/errors.ts';
import type { Collator } from './collator.ts';
import { compareValues } from './compare.ts';
import { fieldsOf } from './fields.ts';
import type { Direction } from './index-key.ts';
import { KeyPaths, type KeyValues } from './index-key-values.ts';
import type { RawValue } from './raw-value.ts';
import { NULL } from './values.ts';

/** A compiled sort pattern. */
export class SortKeyPattern {
  /** Path and direction of each part, in order. */
  readonly fields: readonly { readonly path: string; readonly direction: Direction }[];
  private readonly paths: KeyPaths;
  private readonly directions: readonly Direction[];
  private readonly collator: Collator | undefined;

  constructor(
    fields: readonly { readonly path: string; readonly direction: Direction }[],
    collator?: Collator,
  ) {
    this.fields = fields;
    this.paths = new KeyPaths(fields.map((field) => field.path));
    this.directions = fields.map((field) => field.direction);
    this.collator = collator;
  }

  /**
   * The values that a document is sorted by, null where it has none.
   * @throws CommandError BadValue when two parts lead to different arrays.
   */
  keyOf(document: Buffer): RawValue[] {
    const plain = this.paths.tryPlain(document);
    if (plain !== undefined) return withNulls(plain);
    let smallest: RawValue[] | undefined;
    for (const tuple of this.tuplesOf(document)) {
      const key = withNulls(tuple);
      if (smallest === undefined || this.compare(key, smallest) < 0) smallest = key;
    }
    // Expansion gives at least one tuple, unless it is asked to leave out missing ones.
    return smallest ?? this.fields.map(() => NULL);
  }

  /** Order of two keys of this pattern: negative, 0 or positive. */
  compare(a: readonly RawValue[], b: readonly RawValue[]): number {
    for (let part = 0; part < this.directions.length; part += 1) {
      const order = compareValues(a[part], b[part], this.collator);
      if (order !== 0) return order * this.directions[part];
    }
    return 0;
  }

  private tuplesOf(document: Buffer): readonly KeyValues[] {
    try {
      return this.paths.valuesOf(document, false).tuples;
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== PARALLEL_ARRAYS) throw error;
      throw new CommandError('BadValue', 'cannot sort with keys that are parallel arrays', {
        cause: error,
      });
    }
  }
}

const PARALLEL_ARRAYS = 171;

function withNulls(values: KeyValues): RawValue[] {
  return values.map((value) => value ?? NULL);
}

/**
 * Compiles { path: 1 | -1, … }: any number above zero sorts ascending, any other descending.
 * @throws CommandError 15974 when a direction is no number; $meta is for the caller to take out before.
 */
export function compileSort(pattern: Buffer, collator?: Collator): SortKeyPattern {
  const fields: { path: string; direction: Direction }[] = [];
  for (const [path, value] of fieldsOf(pattern)) {
    if (!value.isNumber) {
      throw new CommandError(
        15974,
        `Illegal key in $sort specification: ${path}: ${value.typeName}`,
      );
    }
    fields.push({ path, direction: value.asNumber() > 0 ? 1 : -1 });
  }
  return new SortKeyPattern(fields, collator);
}
