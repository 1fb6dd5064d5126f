/**
 * Walks the entries of one index in one view: the layers' walks merged, newest layer first.
 *
 * Invariants:
 *  1. An entry (key, record id) shows once; the newest layer that knows it decides whether it is there.
 *  2. Between two calls of next() nothing of the index store is open: the caller may await, and the view may move to
 *     another epoch.
 */
import { invariant } from '../../common/assert.ts';
import type {
  Ident,
  IndexCursor,
  IndexDescription,
  KeyRange,
  ReadView,
  RecordId,
} from '../contract.ts';
import type { KeyTable } from '../delta/key-table.ts';
import { treeEnd, treeKey, treePrefix } from '../format/tree-key.ts';
import type { StoreRange } from '../indexes/contract.ts';
import type { BaseEpoch } from './base-epoch.ts';
import type { Epoch } from './epoch.ts';
import {
  BaseWalk,
  compareEntries,
  compareEntryKey,
  PointWalk,
  TableWalk,
  type EntryWalk,
  type WalkStart,
} from './key-walk.ts';
import { LayeredView } from './layered-view.ts';
import {
  isWithin,
  reachesIntoHash,
  startAround,
  storedRange,
  type StoredRange,
} from './stored-bounds.ts';

export class MergedIndexCursor implements IndexCursor {
  private view: LayeredView | undefined;
  private readonly index: Ident;
  /** A key has at most one entry in the base. */
  private readonly unique: boolean;
  private readonly direction: 1 | -1;
  private readonly range: StoredRange;

  private epoch: Epoch | undefined;
  private ownWriteCount = 0;
  private ownTable: KeyTable | undefined;
  private walks: EntryWalk[] = [];
  private current: EntryWalk | undefined;
  /** Where the next walk begins; then the entry that it must skip, if any. */
  private start: WalkStart;
  private skipsStart = false;
  /** Whole entries before it, in the direction of the walk, do not count. */
  private soughtKey: Buffer | undefined;
  private finished = false;

  constructor(view: LayeredView, index: IndexDescription, range: KeyRange, direction: 1 | -1) {
    this.view = view;
    this.index = index.ident;
    this.unique = index.unique && index.ready;
    this.direction = direction;
    this.range = storedRange(range);
    this.start = this.firstStart();
  }

  get key(): Buffer {
    const { bytes, start, length } = this.entry();
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
  }

  get typeBits(): Buffer {
    return this.entry().typeBits();
  }

  get keyIsWhole(): boolean {
    return this.entry().isWhole();
  }

  get recordId(): RecordId {
    return this.entry().recordId;
  }

  next(): boolean {
    const view = this.view;
    invariant(view !== undefined, 'index cursor: used while detached');
    const epoch = view.epoch;
    if (this.finished) return false;
    if (epoch !== this.epoch || this.ownWritesAppeared(view)) this.reload(view);
    else this.current?.advance();
    return this.findNext();
  }

  seek(key: Buffer): void {
    this.soughtKey = reachesIntoHash(key) ? key : undefined;
    let start: WalkStart = { key, recordId: this.direction === 1 ? -1 : Infinity };
    if (this.soughtKey !== undefined) {
      start = { key: startAround(key, this.direction), recordId: -1 };
      // Cut entries that were given already are not given again.
      if (this.finished || this.isAtOrBehind(start)) return;
    }
    this.start = this.withinRange(start);
    this.skipsStart = false;
    this.finished = false;
    this.current = undefined;
    // In another epoch the walks' base may be gone: next() makes new ones.
    if (this.epoch === undefined || this.view?.epoch !== this.epoch) return;
    for (const walk of this.walks) walk.seek(this.start);
  }

  detach(): void {
    this.rememberEntry();
    this.view = undefined;
    this.epoch = undefined;
    this.walks = [];
    this.current = undefined;
  }

  attach(view: ReadView): void {
    invariant(view instanceof LayeredView, 'index cursor: attached to a foreign view');
    this.view = view;
  }

  close(): void {
    this.view = undefined;
    this.walks = [];
    this.current = undefined;
    this.finished = true;
  }

  private entry(): EntryWalk {
    invariant(this.current !== undefined, 'index cursor: no current entry');
    return this.current;
  }

  private findNext(): boolean {
    this.current = undefined;
    for (;;) {
      const chosen = this.smallest();
      if (chosen === undefined || this.isBeyond(chosen)) {
        this.finished = true;
        return false;
      }
      // The older layers' word on the same entry does not count.
      for (const walk of this.walks) {
        if (walk !== chosen && !walk.atEnd && compareEntries(walk, chosen) === 0) walk.advance();
      }
      if (chosen.present && this.isMeant(chosen)) {
        this.current = chosen;
        return true;
      }
      chosen.advance();
    }
  }

  /** A walk around long keys meets whole entries that were not asked for. */
  private isMeant(walk: EntryWalk): boolean {
    const { soughtKey } = this;
    const { widened } = this.range;
    if ((soughtKey === undefined && widened === undefined) || !walk.isWhole()) return true;
    if (soughtKey !== undefined && compareEntryKey(walk, soughtKey) * this.direction < 0) {
      return false;
    }
    return widened === undefined || isWithin(widened, (bound) => compareEntryKey(walk, bound));
  }

  /** Whether the last entry that was given stands at or behind a place, in the direction of the walk. */
  private isAtOrBehind({ key }: WalkStart): boolean {
    if (key === undefined) return this.current !== undefined || this.skipsStart;
    if (this.current !== undefined) return compareEntryKey(this.current, key) * this.direction >= 0;
    const last = this.skipsStart ? this.start.key : undefined;
    return last !== undefined && last.compare(key) * this.direction >= 0;
  }

  /** The walk with the next entry in the direction; the newest of those that stand at the same. */
  private smallest(): EntryWalk | undefined {
    let chosen: EntryWalk | undefined;
    for (const walk of this.walks) {
      if (walk.atEnd) continue;
      if (chosen === undefined || compareEntries(walk, chosen) * this.direction < 0) chosen = walk;
    }
    return chosen;
  }

  private isBeyond(walk: EntryWalk): boolean {
    if (this.direction === 1) {
      const { upper, upperInclusive } = this.range;
      if (upper === undefined) return false;
      const order = compareEntryKey(walk, upper);
      return upperInclusive ? order > 0 : order >= 0;
    }
    const { lower, lowerInclusive } = this.range;
    if (lower === undefined) return false;
    const order = compareEntryKey(walk, lower);
    return lowerInclusive ? order < 0 : order <= 0;
  }

  private firstStart(): WalkStart {
    if (this.direction === 1) {
      const { lower, lowerInclusive } = this.range;
      return { key: lower, recordId: lowerInclusive ? -1 : Infinity };
    }
    const { upper, upperInclusive } = this.range;
    return { key: upper, recordId: upperInclusive ? Infinity : -1 };
  }

  /** A seek never leaves the range backwards. */
  private withinRange(start: WalkStart): WalkStart {
    const first = this.firstStart();
    if (first.key === undefined || start.key === undefined) return start;
    const order = start.key.compare(first.key) * this.direction;
    if (order !== 0) return order < 0 ? first : start;
    return (start.recordId - first.recordId) * this.direction < 0 ? first : start;
  }

  private ownWritesAppeared(view: LayeredView): boolean {
    if (view.ownWriteCount === this.ownWriteCount) return false;
    this.ownWriteCount = view.ownWriteCount;
    return view.ownWrites?.keys.get(this.index) !== this.ownTable;
  }

  private rememberEntry(): void {
    if (this.current === undefined) return;
    this.start = { key: this.key, recordId: this.current.recordId };
    this.skipsStart = true;
  }

  /** Builds the layers' walks, at the start or behind the entry that was current. */
  private reload(view: LayeredView): void {
    this.rememberEntry();
    const epoch = view.epoch;
    this.epoch = epoch;
    this.ownWriteCount = view.ownWriteCount;
    this.ownTable = view.ownWrites?.keys.get(this.index);
    this.walks = [];
    if (this.ownTable !== undefined) this.addTable(this.ownTable, view.commitNumber);
    for (const generation of epoch.generations) {
      const table = generation.keys.get(this.index);
      if (table !== undefined) this.addTable(table, view.commitNumber);
    }
    this.walks.push(this.walkOf(epoch.base));
    for (const walk of this.walks) {
      walk.seek(this.start);
      if (this.skipsStart && this.standsAtStart(walk)) walk.advance();
    }
  }

  private walkOf(base: BaseEpoch): EntryWalk {
    const { lower, upper, lowerInclusive, upperInclusive } = this.range;
    const isPoint = lower !== undefined && upper?.equals(lower) === true;
    if (this.unique && isPoint && lowerInclusive && upperInclusive) {
      return new PointWalk(base, this.index, lower, this.direction);
    }
    return new BaseWalk(base, this.index, this.direction, this.storeLimits());
  }

  private addTable(table: KeyTable, commitNumber: number): void {
    this.walks.push(new TableWalk(table, commitNumber, this.direction));
  }

  private standsAtStart(walk: EntryWalk): boolean {
    const { key, recordId } = this.start;
    if (walk.atEnd || key === undefined) return false;
    return walk.recordId === recordId && compareEntryKey(walk, key) === 0;
  }

  private storeLimits(): StoreRange {
    const { lower, upper, upperInclusive } = this.range;
    return {
      lower: lower === undefined ? treePrefix(this.index) : treeKey(this.index, lower),
      upper:
        upper === undefined
          ? treeEnd(this.index)
          : treeKey(this.index, upperInclusive ? Buffer.concat([upper, BEHIND_RECORD_IDS]) : upper),
      upperInclusive: false,
    };
  }
}

/** Longer than a record id, so that it stands behind all of them. */
const BEHIND_RECORD_IDS = Buffer.alloc(7, 0xff);
