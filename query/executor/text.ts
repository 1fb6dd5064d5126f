/**
 * TEXT_MATCH and TEXT_OR: the documents of a $text condition.
 *
 * TEXT_OR sums up the scores that a document's entries have for the terms that are looked for; it must have read them all
 * before it knows the first. TEXT_MATCH checks what terms do not tell: phrases and negations.
 */
import { decodeIndexKey, doubleValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { withMetadata } from '../document-metadata.ts';
import type { TextMatchNode, TextOrNode } from '../planner/plan-node.ts';
import type { MaybePromise, RecordId } from '../../storage/index.ts';
import { termScoresOf } from '../text/term-scores.ts';
import { storedTerm } from '../text/text-keys.ts';
import {
  type ExecutionContext,
  StageOverInputs,
  StageOverInput,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

export class TextMatch extends StageOverInput {
  readonly counters: StageCounters = { advanced: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly node: TextMatchNode;

  constructor(context: ExecutionContext, input: Stage, node: TextMatchNode) {
    super(context.yielder, input);
    this.context = context;
    this.node = node;
  }

  protected step(): Step {
    for (;;) {
      // To cut a long text into words takes a while.
      if (this.context.yielder.tick()) return undefined;
      const moved = this.input.next();
      if (moved === false) return this.end();
      if (moved !== true) return this.afterInput(moved);
      if (this.accept()) return true;
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    return this.accept() ? true : undefined;
  }

  private accept(): boolean {
    const { row } = this.context;
    if (!row.keyIsWhole && !this.node.holdsTerm(row.document)) return false;
    if (!this.node.matches(row.document)) return false;
    this.counters.advanced += 1;
    return true;
  }
}

/** What one record takes while scores are summed up, bytes. */
const SCORE_BYTES = 64;

/** Of an entry whose key was cut nothing is known but that its document has one of the terms. */
const UNKNOWN = Number.NaN;

export class TextOr extends StageOverInputs {
  readonly counters: StageCounters = { advanced: 0, docsExamined: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly node: TextOrNode;
  private readonly scores = new Map<RecordId, number>();
  private current = 0;
  /** Set once all entries have been read. */
  private output: Iterator<[RecordId, number]> | undefined;

  constructor(context: ExecutionContext, inputs: readonly Stage[], node: TextOrNode) {
    super(context.yielder, inputs);
    this.context = context;
    this.node = node;
  }

  protected step(): Step {
    for (;;) {
      if (this.context.yielder.tick()) return undefined;
      if (this.output !== undefined) {
        const next = this.output.next();
        if (next.done === true) return this.end();
        const given = this.fetch(next.value[0], next.value[1]);
        if (given === true) return true;
        if (given !== false) return this.afterLoad(given);
        continue;
      }
      const input = this.inputs[this.current];
      if (input === undefined) {
        this.output = this.scores.entries();
        continue;
      }
      const moved = input.next();
      if (moved === true) this.addScore();
      else if (moved === false) this.current += 1;
      else return this.afterInput(moved);
    }
  }

  private async afterInput(moved: Promise<boolean>): Promise<undefined> {
    if (await moved) this.addScore();
    else this.current += 1;
  }

  private addScore(): void {
    const { row, maxStageBytes } = this.context;
    const { index, scorePosition } = this.node;
    const recordId = row.recordId!;
    let score = UNKNOWN;
    if (row.keyIsWhole) {
      const directions = index.fields.map(({ direction }) => direction);
      const values = decodeIndexKey(row.key!, row.typeBits!, directions);
      score = values[scorePosition].asNumber();
    }
    this.scores.set(recordId, (this.scores.get(recordId) ?? 0) + score);
    if (this.scores.size * SCORE_BYTES <= maxStageBytes) return;
    throw new CommandError(
      'ExceededMemoryLimit',
      `Executor error during find command :: caused by :: TEXT_OR exceeded its memory limit of ${maxStageBytes} bytes`,
    );
  }

  private fetch(recordId: RecordId, score: number): MaybePromise<boolean> {
    const { view, collection } = this.context;
    const document = view.record(collection, recordId);
    if (document instanceof Promise) {
      return document.then((loaded) => this.accept(recordId, score, loaded));
    }
    return this.accept(recordId, score, document);
  }

  private async afterLoad(given: Promise<boolean>): Promise<boolean | undefined> {
    return (await given) ? true : undefined;
  }

  private accept(recordId: RecordId, score: number, document: Buffer | undefined): boolean {
    // Deleted since its entries were read.
    if (document === undefined) return false;
    const { row, statistics } = this.context;
    this.counters.docsExamined! += 1;
    statistics.docsExamined += 1;
    const isKnown = !Number.isNaN(score);
    const filter = isKnown ? this.node.filter : this.node.whole;
    if (filter !== undefined && !filter.matches(document)) return false;
    const known = isKnown ? score : this.scoreOf(document);
    if (known === 0) return false;
    // The row has no entry of its own: its document has several.
    row.keyIsWhole = true;
    row.index = undefined;
    row.recordId = recordId;
    row.document = withMetadata(document, { textScore: doubleValue(known) });
    this.counters.advanced += 1;
    return true;
  }

  private scoreOf(document: Buffer): number {
    const { text, terms } = this.node;
    const wanted = new Set(Array.from(terms, storedTerm));
    let sum = 0;
    for (const [term, score] of termScoresOf(document, text)) {
      if (wanted.has(storedTerm(term))) sum += score;
    }
    return sum;
  }

  override close(): void {
    super.close();
    this.scores.clear();
  }
}
