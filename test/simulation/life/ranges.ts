/**
 * Walks over parts of an index: between bounds, long ones among them, with jumps ahead, and pauses in which the store works on.
 *
 * What a walk may give beyond what was asked for is only what storage/contract.ts allows: entries that were cut.
 */
import assert from 'node:assert/strict';
import type {
  CollectionDescription,
  IndexCursor,
  IndexDescription,
  KeyRange,
  ReadView,
} from '../../../storage/index.ts';
import { fullKeysOf, idOf, storedForm } from '../documents.ts';
import type { ModelDocuments } from '../model.ts';
import type { LifeContext } from './context.ts';

/** An entry that an index should hold. */
interface Wanted {
  /** As the index keeps it, and whose it is. */
  readonly name: string;
  /** Not cut. */
  readonly key: Buffer;
}

/** @param documents what the view shows of the collection */
export async function walkRange(
  context: LifeContext,
  view: ReadView,
  collection: CollectionDescription,
  documents: ModelDocuments,
): Promise<void> {
  const index = context.anyOf(collection.indexes.filter(({ ready }) => ready));
  if (index === undefined) return;
  const entries = wantedOf(index, documents);
  const range = randomRange(context, entries);
  const direction = context.random.below(2) === 0 ? 1 : -1;
  const cursor = view.scanIndex(index, range, direction);
  const walk = new Walk(context, { view, collection, cursor, direction, entries, range });
  try {
    if (await walk.run()) walk.judge(`${collection.namespace} ${index.name}`);
  } finally {
    cursor.close();
  }
}

interface WalkParts {
  readonly view: ReadView;
  readonly collection: CollectionDescription;
  readonly cursor: IndexCursor;
  readonly direction: 1 | -1;
  readonly entries: readonly Wanted[];
  readonly range: KeyRange;
}

class Walk {
  private readonly context: LifeContext;
  private readonly parts: WalkParts;
  private readonly keys: ReadonlyMap<string, Buffer>;
  private readonly found = new Set<string>();
  /** The furthest of the keys that were given. */
  private furthest: Buffer | undefined;
  private sought: Buffer | undefined;
  /** What had been given before the jump. */
  private before = new Set<string>();

  constructor(context: LifeContext, parts: WalkParts) {
    this.context = context;
    this.parts = parts;
    this.keys = new Map(parts.entries.map(({ name, key }) => [name, key]));
  }

  /** @returns false when the machine went dark on the way */
  async run(): Promise<boolean> {
    const { context, parts } = this;
    const { cursor, view } = parts;
    const jumpsAt = context.random.below(6);
    for (let steps = 0; ; steps += 1) {
      if (steps === jumpsAt) this.jump();
      if (!cursor.next()) return true;
      await this.noteCurrent();
      if (context.random.below(12) > 0) continue;
      cursor.detach();
      await context.world.run(1);
      if (context.world.isDark) return false;
      cursor.attach(view);
    }
  }

  judge(what: string): void {
    for (const { name, key } of this.parts.entries) {
      if (!this.isInRange(key)) continue;
      if (this.sought !== undefined && this.order(key, this.sought) < 0) continue;
      assert.ok(this.found.has(name), `a range of ${what} misses ${name.slice(-40)}`);
    }
    this.context.counts.rangesWalked += 1;
  }

  private async noteCurrent(): Promise<void> {
    const { cursor, collection, view } = this.parts;
    const { key, keyIsWhole, recordId } = cursor;
    const document = await view.record(collection, recordId);
    assert.ok(document !== undefined, 'a range gives an entry without a record');
    const name = nameOf(key, idOf(document));
    const full = this.keys.get(name);
    assert.ok(full !== undefined, 'a range gives an entry that its document has not');
    assert.ok(!this.found.has(name), 'a range gives an entry twice');
    this.found.add(name);
    if (this.furthest === undefined || this.order(full, this.furthest) > 0) this.furthest = full;
    if (!keyIsWhole) return;
    assert.ok(this.isInRange(full), 'a range gives a whole key from outside');
    const isBehind = this.sought === undefined || this.order(full, this.sought) >= 0;
    assert.ok(isBehind || this.before.has(name), 'a jump is followed by a key before it');
  }

  /** Somewhere ahead. */
  private jump(): void {
    const { furthest, parts, context } = this;
    const ahead = parts.entries.filter(
      ({ key }) => furthest === undefined || this.order(key, furthest) > 0,
    );
    const target = context.anyOf(ahead);
    if (target === undefined || context.random.below(2) === 0) return;
    this.sought = target.key;
    this.before = new Set(this.found);
    parts.cursor.seek(target.key);
  }

  private order(a: Buffer, b: Buffer): number {
    return a.compare(b) * this.parts.direction;
  }

  private isInRange(key: Buffer): boolean {
    const { lower, lowerInclusive, upper, upperInclusive } = this.parts.range;
    if (lower !== undefined) {
      const order = key.compare(lower);
      if (order < 0 || (order === 0 && lowerInclusive === false)) return false;
    }
    if (upper === undefined) return true;
    const order = key.compare(upper);
    return order < 0 || (order === 0 && upperInclusive !== false);
  }
}

function wantedOf(index: IndexDescription, documents: ModelDocuments): Wanted[] {
  const wanted: Wanted[] = [];
  for (const [id, document] of documents) {
    for (const key of fullKeysOf(index, document)) {
      wanted.push({ name: nameOf(storedForm(key), id), key });
    }
  }
  return wanted;
}

/** Bounds are keys that are there, or beginnings of them; one in four is open. */
function randomRange(context: LifeContext, entries: readonly Wanted[]): KeyRange {
  const { random } = context;
  const bound = (): Buffer | undefined => {
    const key = context.anyOf(entries)?.key;
    if (key === undefined || random.below(4) === 0) return undefined;
    return random.below(3) === 0 ? key.subarray(0, 1 + random.below(key.length)) : key;
  };
  const bounds = [bound(), bound()];
  const [lower, upper] = bounds.every((each) => each !== undefined)
    ? bounds.sort((a, b) => Buffer.compare(a, b))
    : bounds;
  return {
    ...(lower === undefined ? {} : { lower, lowerInclusive: random.below(2) === 0 }),
    ...(upper === undefined ? {} : { upper, upperInclusive: random.below(2) === 0 }),
  };
}

function nameOf(storedKey: Buffer, id: string): string {
  return `${storedKey.toString('hex')} ${id}`;
}
