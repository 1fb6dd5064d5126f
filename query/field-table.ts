/**
 * Finds what belongs to the field under a cursor, comparing bytes rather than strings.
 */
import type { FieldCursor } from '../bson/index.ts';

/** Beyond this many names a look-up by decoded name is cheaper than comparing one by one. */
const FEW_NAMES = 8;

/** A fixed set of names with a value for each. */
export class FieldTable<T> {
  private readonly entries: readonly { readonly name: Buffer; readonly value: T }[];
  private readonly byName: ReadonlyMap<string, T>;

  constructor(byName: ReadonlyMap<string, T>) {
    this.byName = byName;
    this.entries = Array.from(byName, ([name, value]) => ({ name: Buffer.from(name), value }));
  }

  /** The value of the current field's name. */
  find(cursor: FieldCursor): T | undefined {
    if (this.entries.length > FEW_NAMES) return this.byName.get(cursor.name);
    for (const { name, value } of this.entries) {
      if (cursor.nameIs(name)) return value;
    }
    return undefined;
  }
}
