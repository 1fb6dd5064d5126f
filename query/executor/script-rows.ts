/**
 * Stands where a plan evaluates JavaScript: lets a row through once the scripts that it needs have run, and, given a filter, only
 * when it matches.
 *
 * Explain knows no such stage: a filter's part in JavaScript belongs to the scan below, a projection's to the stage above.
 */
import type { Filter } from '../matcher/filter.ts';
import { carryMetadata } from '../document-metadata.ts';
import { ownedDocument } from '../owned.ts';
import type { ScriptSession } from '../script/script-session.ts';
import { ScriptWindow } from '../script/script-window.ts';
import { Row } from './row.ts';
import {
  type ExecutionContext,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export interface ScriptedRows {
  readonly session: ScriptSession;
  /** Rows that do not match are dropped. */
  readonly filter?: Filter;
  /** What the stage above evaluates on a row. */
  readonly evaluate?: (row: Row) => void;
}

export class ScriptRows extends StageOverInput {
  readonly counters: StageCounters;
  private readonly context: ExecutionContext;
  private readonly scripted: ScriptedRows;
  private readonly window: ScriptWindow<Row>;
  private ended = false;

  constructor(context: ExecutionContext, input: Stage, scripted: ScriptedRows) {
    super(context.yielder, input);
    this.context = context;
    this.scripted = scripted;
    this.window = new ScriptWindow(scripted.session);
    this.counters = new CountersOver(input.counters);
  }

  protected step(): Step {
    const { window, context } = this;
    for (;;) {
      if (context.yielder.tick()) return undefined;
      if (this.ended || !window.takes) {
        if (window.isEmpty) return this.end();
        const settling = window.settle(context.yielder.interruption);
        if (settling !== undefined) return settling.then(() => undefined);
        if (this.give(window.take())) return true;
        continue;
      }
      const moved = this.input.next();
      if (typeof moved !== 'boolean') return moved.then((ok) => this.offer(ok));
      this.offer(moved);
    }
  }

  private offer(moved: boolean): undefined {
    if (!moved) {
      this.ended = true;
      return;
    }
    const row = copyOf(this.context.row);
    const { filter, evaluate } = this.scripted;
    this.window.offer(row, row.document.length, () => {
      filter?.matches(row.document);
      evaluate?.(row);
    });
  }

  private give(row: Row): boolean {
    if (this.scripted.filter?.matches(row.document) === false) return false;
    Object.assign(this.context.row, row);
    this.counters.advanced += 1;
    return true;
  }

  override close(): void {
    this.window.close();
    super.close();
  }
}

function copyOf(row: Row): Row {
  const copy = Object.assign(new Row(), row);
  copy.document = carryMetadata(row.document, ownedDocument(row.document));
  copy.key = row.key === undefined ? undefined : Buffer.from(row.key);
  copy.typeBits = row.typeBits === undefined ? undefined : Buffer.from(row.typeBits);
  return copy;
}

/** As if the stage below had applied the filter itself. */
class CountersOver implements StageCounters {
  advanced = 0;
  isEOF = false;
  private readonly below: StageCounters;

  constructor(below: StageCounters) {
    this.below = below;
  }

  get docsExamined(): number | undefined {
    return this.below.docsExamined;
  }

  get keysExamined(): number | undefined {
    return this.below.keysExamined;
  }

  get seeks(): number | undefined {
    return this.below.seeks;
  }
}
