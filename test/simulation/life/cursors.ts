/**
 * Cursors that stay open, a few steps at a time, while indexes are built, checkpoints taken, collections dropped and
 * renamed. A held one stays in its snapshot; a live one goes on in the latest state after each pause, as getMore does.
 */
import assert from 'node:assert/strict';
import { CommandError } from '../../../common/errors.ts';
import type {
  CollectionDescription,
  CollectionUuid,
  IndexDescription,
  ReadView,
} from '../../../storage/index.ts';
import { idOf } from '../documents.ts';
import type { ModelCollection, ModelDocuments } from '../model.ts';
import { assertSame, entriesOf } from '../reading.ts';
import type { LifeContext } from './context.ts';

const MOST_HELD = 3;
const MOST_LIVE = 2;

/** What both kinds of cursors have: moves on, lets go, takes up again. */
interface Walk {
  next(): boolean | Promise<boolean>;
  detach(): void;
  attach(view: ReadView): void;
  close(): void;
}

interface HeldCursor {
  readonly view: ReadView;
  readonly walk: Walk;
  /** What the current entry is, to be compared. */
  readonly current: () => string | Promise<string>;
  readonly found: string[];
  readonly wanted: readonly string[];
  readonly what: string;
}

interface LiveCursor {
  readonly walk: ReturnType<ReadView['scanRecords']>;
  readonly uuid: CollectionUuid;
  readonly collection: ModelCollection;
  /** Documents that did not change since the cursor was opened: it must show each of them once. */
  readonly unchanged: ModelDocuments;
  readonly seen: Map<string, number>;
}

export class Cursors {
  private readonly context: LifeContext;
  private readonly held: HeldCursor[] = [];
  private readonly live: LiveCursor[] = [];

  constructor(context: LifeContext) {
    this.context = context;
  }

  /** Opens one, or goes on with one. */
  async operate(): Promise<void> {
    const { random } = this.context;
    const dice = random.below(8);
    if (dice === 0) this.hold();
    else if (dice === 1) this.openLive();
    else if (dice < 5) await this.advanceHeld();
    else await this.advanceLive();
  }

  closeAll(): void {
    for (const { view, walk } of this.held.splice(0)) {
      walk.close();
      view.close();
    }
    for (const { walk } of this.live.splice(0)) walk.close();
  }

  private hold(): void {
    const { engine, model, random } = this.context;
    if (this.held.length >= MOST_HELD) return;
    const view = engine.snapshot();
    const collection = this.context.anyOf(view.collections());
    const documents = model.state.get(collection?.namespace ?? '')?.documents;
    if (collection === undefined || documents === undefined) {
      view.close();
      return;
    }
    const index = this.context.anyOf(collection.indexes.filter(({ ready }) => ready));
    this.held.push(
      index === undefined || random.below(2) === 0
        ? this.recordsOf(view, collection, documents)
        : this.entriesOf(view, collection, index, documents),
    );
  }

  private recordsOf(
    view: ReadView,
    collection: CollectionDescription,
    documents: ModelDocuments,
  ): HeldCursor {
    const walk = view.scanRecords(collection, { direction: this.direction() });
    const textOf = (document: Buffer): string => `${idOf(document)} ${document.length}`;
    return {
      view,
      walk,
      current: () => textOf(walk.document),
      found: [],
      wanted: [...documents.values()].map(textOf).sort(),
      what: `a cursor held over ${collection.namespace}`,
    };
  }

  private entriesOf(
    view: ReadView,
    collection: CollectionDescription,
    index: IndexDescription,
    documents: ModelDocuments,
  ): HeldCursor {
    const walk = view.scanIndex(index, {}, this.direction());
    return {
      view,
      walk,
      current: async () => {
        const { key, recordId } = walk;
        const document = await view.record(collection, recordId);
        assert.ok(document !== undefined, `${index.name}: entry without a record`);
        return `${key.toString('hex')} ${idOf(document)}`;
      },
      found: [],
      wanted: entriesOf(index, documents),
      what: `a cursor held over ${collection.namespace} ${index.name}`,
    };
  }

  private async advanceHeld(): Promise<void> {
    const { counts, random, world } = this.context;
    const cursor = this.context.anyOf(this.held);
    if (cursor === undefined) return;
    const { view, walk, found } = cursor;
    try {
      for (let steps = 1 + random.below(30); steps > 0 && !world.isDark; steps -= 1) {
        if (await walk.next()) {
          found.push(await cursor.current());
          continue;
        }
        // Entries of what nobody could read may be stale (reading.ts).
        if (!world.damageMet) assertSame(found.sort(), cursor.wanted, cursor.what);
        counts.heldCursors += 1;
        this.endHeld(cursor);
        return;
      }
      if (random.below(2) > 0 || world.isDark) return;
      walk.detach();
      walk.attach(view);
    } catch (error) {
      this.endHeld(cursor);
      if (!(error instanceof CommandError) || error.codeName !== 'SnapshotTooOld') throw error;
    }
  }

  private endHeld(cursor: HeldCursor): void {
    cursor.walk.close();
    cursor.view.close();
    this.held.splice(this.held.indexOf(cursor), 1);
  }

  private openLive(): void {
    const { engine, model } = this.context;
    if (this.live.length >= MOST_LIVE) return;
    const view = engine.snapshot();
    const description = this.context.anyOf(view.collections());
    const collection = model.state.get(description?.namespace ?? '');
    if (description !== undefined && collection !== undefined) {
      const walk = view.scanRecords(description, { direction: this.direction() });
      walk.detach();
      const unchanged = new Map(collection.documents);
      const { uuid } = description;
      this.live.push({ walk, uuid, collection, unchanged, seen: new Map() });
    }
    view.close();
  }

  private async advanceLive(): Promise<void> {
    const { engine, random } = this.context;
    const cursor = this.context.anyOf(this.live);
    if (cursor === undefined) return;
    const view = engine.snapshot();
    try {
      if (view.collectionByUuid(cursor.uuid) === undefined) {
        this.endLive(cursor);
        return;
      }
      this.forgetChanged(cursor);
      cursor.walk.attach(view);
      for (let steps = 1 + random.below(30); steps > 0; steps -= 1) {
        if (!(await this.stepLive(cursor))) return;
      }
      cursor.walk.detach();
    } catch (error) {
      this.endLive(cursor);
      throw error;
    } finally {
      view.close();
    }
  }

  /** @returns false at the end */
  private async stepLive(cursor: LiveCursor): Promise<boolean> {
    const { walk, collection, unchanged, seen } = cursor;
    if (await walk.next()) {
      const { document } = walk;
      const id = idOf(document);
      // Nothing else is committed between attach() and detach().
      const isThere = collection.documents.get(id)?.equals(document) === true;
      assert.ok(isThere, `a live cursor shows a document ${id} that is not there`);
      seen.set(id, (seen.get(id) ?? 0) + 1);
      return true;
    }
    for (const id of unchanged.keys()) {
      assert.equal(seen.get(id), 1, `a live cursor shows document ${id} once`);
    }
    this.context.counts.liveCursors += 1;
    this.endLive(cursor);
    return false;
  }

  private forgetChanged({ collection, unchanged }: LiveCursor): void {
    for (const [id, document] of unchanged) {
      if (collection.documents.get(id) !== document) unchanged.delete(id);
    }
  }

  private endLive(cursor: LiveCursor): void {
    cursor.walk.close();
    this.live.splice(this.live.indexOf(cursor), 1);
  }

  private direction(): 1 | -1 {
    return this.context.random.below(2) === 0 ? 1 : -1;
  }
}
