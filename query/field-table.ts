/**
 * Finds what belongs to the field under a cursor, comparing bytes rather than strings.
 */
import type { FieldCursor } from '../bson/index.ts';

/** Beyond this many names a look-up by decoded name is cheaper than comparing one by one. */
const FEW_NAMES = 8;

/** A fixed set of names with a value for each. */
export class FieldTable<T> {
  /** The values, in the order of the names. */
  readonly values: readonly T[];
  private readonly names: readonly Buffer[];
  private readonly indexes: ReadonlyMap<string, number>;

  constructor(byName: ReadonlyMap<string, T>) {
    this.values = [...byName.values()];
    this.names = Array.from(byName.keys(), (name) => Buffer.from(name));
    this.indexes = new Map(Array.from(byName.keys(), (name, index) => [name, index]));
  }

  /** The place in `values` of the current field's name; -1 when it is none of the names. */
  indexOf(cursor: FieldCursor): number {
    const { names } = this;
    if (names.length > FEW_NAMES) return this.indexes.get(cursor.name) ?? -1;
    for (let index = 0; index < names.length; index += 1) {
      if (cursor.nameIs(names[index])) return index;
    }
    return -1;
  }
}
