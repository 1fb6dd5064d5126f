/**
 * A bounded cache of two ages: what was not asked for while the newer map filled goes with the older one.
 *
 * A base keeps one of blocks of the record map: copying a block out of the index store costs more than the rest of a point
 * look-up.
 */
export class TwoAgeCache<Key, Value> {
  private readonly entriesPerAge: number;
  private newer = new Map<Key, Value>();
  private older = new Map<Key, Value>();

  constructor(entriesPerAge: number) {
    this.entriesPerAge = entriesPerAge;
  }

  get(key: Key): Value | undefined {
    const found = this.newer.get(key);
    if (found !== undefined) return found;
    const old = this.older.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.newer.size >= this.entriesPerAge) {
      this.older = this.newer;
      this.newer = new Map();
    }
    this.newer.set(key, value);
  }

  delete(key: Key): void {
    this.newer.delete(key);
    this.older.delete(key);
  }
}
