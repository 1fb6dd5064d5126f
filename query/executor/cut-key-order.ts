/**
 * Puts the entries of an index scan in order where keys were cut: those stand in the index by what was kept of them and a hash, and
 * only their documents say the rest.
 *
 * Owns: one run of entries that begin with the same kept part, whole ones among them. Keys of that length are rare: a scan without
 * them pays one test per entry.
 */
import {
  CUT_INDEX_KEY_PREFIX_BYTES,
  type IndexDescription,
  type MaybePromise,
  type ReadView,
  type RecordId,
} from '../../storage/index.ts';
import { Sorter, type SortOrder, type SortedRow } from './sorter.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

interface Entry {
  readonly recordId: RecordId | undefined;
  readonly key: Buffer | undefined;
  readonly typeBits: Buffer | undefined;
  readonly keyIsWhole: boolean;
  readonly index: IndexDescription | undefined;
}

export class CutKeyOrder extends StageOverInput {
  private readonly context: ExecutionContext;
  private readonly order: SortOrder;
  /** The run that is being collected, and what its keys have in common. */
  private sorter: Sorter | undefined;
  private kept: Entry | undefined;
  /** The run that is being given out. */
  private output: Iterator<SortedRow> | undefined;
  /** The entry behind the run. */
  private ahead: Entry | undefined;

  constructor(context: ExecutionContext, input: Stage, order: SortOrder) {
    super(context.yielder, input);
    this.context = context;
    this.order = order;
  }

  get counters(): StageCounters {
    return this.input.counters;
  }

  protected step(): Step {
    for (;;) {
      if (this.output !== undefined) {
        if (this.give(this.output)) return true;
        const { ahead } = this;
        if (ahead !== undefined) {
          this.ahead = undefined;
          this.fill(ahead);
          if (isShort(ahead.key)) return true;
          const collected = this.collect();
          if (collected instanceof Promise) return collected.then(() => undefined);
          continue;
        }
      }
      const moved = this.input.next();
      if (typeof moved !== 'boolean') return this.afterInput(moved);
      const taken = this.take(moved);
      if (taken instanceof Promise) return taken;
      if (taken !== undefined) return taken;
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    return this.take(await moved);
  }

  /** @returns true for a row to give, false at the end, undefined when there is more to do. */
  private take(moved: boolean): MaybePromise<boolean | undefined> {
    const { row } = this.context;
    const { sorter, kept } = this;
    if (!moved) {
      if (sorter === undefined) return false;
      this.startGiving(sorter);
      return undefined;
    }
    if (sorter === undefined && isShort(row.key)) return true;
    if (sorter === undefined || beginsLike(row.key, kept?.key)) {
      const collected = this.collect();
      return collected instanceof Promise ? collected.then(() => undefined) : undefined;
    }
    this.ahead = this.entry();
    this.startGiving(sorter);
    return undefined;
  }

  private collect(): MaybePromise<void> {
    const { view, collection, row } = this.context;
    this.kept ??= this.entry();
    this.sorter ??= new Sorter({
      order: this.order,
      limit: 0,
      spill: this.context.spill,
      maxMemoryBytes: this.context.maxStageBytes,
    });
    const { sorter } = this;
    const recordId = row.recordId ?? 0;
    const document = view.record(collection, row.recordId!);
    if (!(document instanceof Promise)) return addTo(sorter, document, recordId);
    return document.then((loaded) => addTo(sorter, loaded, recordId));
  }

  private startGiving(sorter: Sorter): void {
    this.output = sorter.sorted();
  }

  private give(output: Iterator<SortedRow>): boolean {
    const next = output.next();
    const { kept } = this;
    if (next.done === true || kept === undefined) {
      this.sorter?.close();
      this.sorter = undefined;
      this.kept = undefined;
      this.output = undefined;
      return false;
    }
    // Whatever its key was: the document has what it says.
    this.fill({ ...kept, keyIsWhole: false, recordId: recordIdOf(next.value.recordId) });
    return true;
  }

  private entry(): Entry {
    const { recordId, key, typeBits, keyIsWhole, index } = this.context.row;
    return { recordId, key: copied(key), typeBits: copied(typeBits), keyIsWhole, index };
  }

  private fill({ recordId, key, typeBits, keyIsWhole, index }: Entry): void {
    const { row } = this.context;
    row.recordId = recordId;
    row.key = key;
    row.typeBits = typeBits;
    row.keyIsWhole = keyIsWhole;
    row.index = index;
  }

  override attach(view: ReadView): void {
    // It was read before: the document may have another key by now.
    if (this.ahead !== undefined) this.ahead = { ...this.ahead, keyIsWhole: false };
    super.attach(view);
  }

  override close(): void {
    this.sorter?.close();
    super.close();
  }
}

/** A record that has vanished has no place. */
function addTo(sorter: Sorter, document: Buffer | undefined, recordId: number): void {
  if (document !== undefined) sorter.add(document, recordId);
}

/** Too short to stand among cut keys. */
function isShort(key: Buffer | undefined): boolean {
  return key === undefined || key.length <= CUT_INDEX_KEY_PREFIX_BYTES;
}

function beginsLike(key: Buffer | undefined, kept: Buffer | undefined): boolean {
  if (key === undefined || kept === undefined || isShort(key)) return false;
  const length = CUT_INDEX_KEY_PREFIX_BYTES;
  return key.compare(kept, 0, length, 0, length) === 0;
}

function copied(bytes: Buffer | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes);
}

/** A record id that was kept as a plain number. */
function recordIdOf(number: number): RecordId {
  return number as RecordId;
}
