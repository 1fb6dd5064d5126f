/**
 * Writers whose traces tell whether a state of a cluster is one that could have been seen.
 *
 * Each writer does one thing after the other, on documents of its own that lie all over the shard key: what it does at a step follows from its number
 * and the step, so that its log can be made again. A step begins only when the one before was acknowledged, mostly on another shard; and each
 * document that is written says how far all other writers had come then. So a state is sound when every writer's documents are those after
 * some step of its own, and nobody's documents have seen a step that is not there.
 */
import type { Collection, MongoClient } from 'mongodb';
import { systemClock } from '../../common/clock.ts';
import { SeededRandom } from '../../common/random.ts';

export interface WrittenDocument {
  _id: string;
  /** The shard key. */
  key: number;
  writer: number;
  /** Which step of the writer wrote it. */
  step: number;
  /** For each writer the last step that was acknowledged. */
  seen: number[];
  text: string;
}

/** Shard keys lie between 0 and this. */
export const KEYS = 10_000;

type Step =
  | { readonly kind: 'write'; readonly slot: number }
  | { readonly kind: 'delete'; readonly slot: number };

/** Steps behind the last one that shows: deletes, of what was written just before, too. */
const MOST_STEPS_UNSEEN = 64;

/** One writer's sequence, made again as often as it is asked for. */
class Sequence {
  readonly writer: number;
  readonly documents = new Map<number, number>();
  step = 0;
  private readonly slots: number;
  private readonly random: SeededRandom;

  constructor(writer: number, slots: number) {
    this.writer = writer;
    this.slots = slots;
    this.random = new SeededRandom(writer + 1);
  }

  next(): Step {
    this.step += 1;
    const slot = this.random.below(this.slots);
    if (this.documents.has(slot) && this.random.below(5) === 0) {
      this.documents.delete(slot);
      return { kind: 'delete', slot };
    }
    this.documents.set(slot, this.step);
    return { kind: 'write', slot };
  }
}

export interface WritersOptions {
  readonly count: number;
  /** Documents of each writer, at most. */
  readonly slots?: number;
  /** Of the text that each document carries, about. */
  readonly textBytes?: number;
}

/** When a step was begun, and when it was acknowledged; milliseconds since 1970. */
interface StepTimes {
  readonly begun: number[];
  readonly acknowledged: number[];
}

export class CausalWriters {
  private readonly options: Required<WritersOptions>;
  private readonly sequences: readonly Sequence[];
  private readonly acknowledged: number[];
  private readonly times: readonly StepTimes[];

  constructor(options: WritersOptions) {
    this.options = { slots: 200, textBytes: 200, ...options };
    const { count, slots } = this.options;
    this.sequences = Array.from({ length: count }, (_, writer) => new Sequence(writer, slots));
    this.acknowledged = this.sequences.map(() => 0);
    this.times = this.sequences.map(() => ({ begun: [], acknowledged: [] }));
  }

  get steps(): number {
    return this.acknowledged.reduce((sum, steps) => sum + steps, 0);
  }

  /** Writes while `work` is under way. @param onLatency told how long each step took, milliseconds */
  async during<Result>(
    client: MongoClient,
    namespace: readonly [string, string],
    work: () => Promise<Result>,
    onLatency: (ms: number) => void = () => {},
  ): Promise<Result> {
    const collection = client.db(namespace[0]).collection<WrittenDocument>(namespace[1]);
    let isOver = false;
    const writing = this.sequences.map(async (sequence) => {
      while (!isOver) await this.take(sequence, collection, onLatency);
    });
    try {
      return await work();
    } finally {
      isOver = true;
      await Promise.all(writing);
    }
  }

  private async take(
    sequence: Sequence,
    collection: Collection<WrittenDocument>,
    onLatency: (ms: number) => void,
  ): Promise<void> {
    const { writer } = sequence;
    const { kind, slot } = sequence.next();
    const { step } = sequence;
    const [_id, key] = [idOf(writer, slot), keyOf(writer, slot)];
    const seen = [...this.acknowledged];
    this.times[writer].begun[step] = systemClock.wallMs();
    const startMs = systemClock.monotonicMs();
    if (kind === 'delete') await collection.deleteOne({ _id, key });
    else {
      const text = this.textOf(writer, step);
      await collection.replaceOne(
        { _id, key },
        { key, writer, step, seen, text },
        { upsert: true },
      );
    }
    onLatency(systemClock.monotonicMs() - startMs);
    this.times[writer].acknowledged[step] = systemClock.wallMs();
    this.acknowledged[writer] = step;
  }

  /**
   * Whether these documents, all that there are, are a state that could have been seen.
   * @param atMs the time that they are of; a second more or less, within which a barrier may be up
   * @returns what is wrong; empty when nothing is
   */
  wrongWith(documents: readonly WrittenDocument[], atMs?: number): string[] {
    const wrong: string[] = [];
    const steps = this.sequences.map(({ writer }) => {
      const own = documents.filter((document) => document.writer === writer);
      const possible = this.stepsThatLeave(writer, own);
      if (possible.length === 0) wrong.push(`writer ${writer}: no step leaves its documents`);
      return possible;
    });
    for (const { _id, seen } of documents) {
      for (const [writer, step] of seen.entries()) {
        const most = steps[writer][steps[writer].length - 1] ?? Infinity;
        if (step > most) wrong.push(`${_id} has seen step ${step} of writer ${writer}, not there`);
      }
    }
    if (atMs !== undefined) wrong.push(...this.outOfTime(steps, atMs));
    return wrong;
  }

  private outOfTime(steps: readonly (readonly number[])[], atMs: number): string[] {
    const wrong: string[] = [];
    for (const [writer, possible] of steps.entries()) {
      const { begun, acknowledged } = this.times[writer];
      const most = possible[possible.length - 1] ?? 0;
      const [least = 0] = possible;
      if ((acknowledged[most + 1] ?? Infinity) < atMs - 1000) {
        wrong.push(`writer ${writer}: step ${most + 1} was acknowledged before, and is not there`);
      }
      if ((begun[least] ?? 0) > atMs + 1000) {
        wrong.push(`writer ${writer}: step ${least} was begun later, and is there`);
      }
    }
    return wrong;
  }

  /** Follows from the step, and does not compress. */
  private textOf(writer: number, step: number): string {
    const bytes = Math.ceil((this.options.textBytes * 3) / 4);
    return new SeededRandom(writer * 1_000_003 + step).bytes(bytes).toString('base64');
  }

  /** The steps after which a writer has left exactly these documents. */
  private stepsThatLeave(writer: number, documents: readonly WrittenDocument[]): number[] {
    const isSound = documents.every(({ step, text }) => text === this.textOf(writer, step));
    if (!isSound) return [];
    const found = new Map(documents.map(({ _id, step }) => [_id, step]));
    const last = Math.max(0, ...found.values());
    const sequence = new Sequence(writer, this.options.slots);
    while (sequence.step < last) sequence.next();
    const steps: number[] = [];
    for (let more = 0; more <= MOST_STEPS_UNSEEN; more += 1) {
      if (found.size === documents.length && isLeftBy(sequence, found)) steps.push(sequence.step);
      sequence.next();
    }
    return steps;
  }
}

function isLeftBy({ writer, documents }: Sequence, found: ReadonlyMap<string, number>): boolean {
  if (documents.size !== found.size) return false;
  for (const [slot, step] of documents) {
    if (found.get(idOf(writer, slot)) !== step) return false;
  }
  return true;
}

function idOf(writer: number, slot: number): string {
  return `${writer}-${slot}`;
}

/** All over the keys, and neighbours in time far apart. */
function keyOf(writer: number, slot: number): number {
  return ((writer * 131 + slot) * 7919) % KEYS;
}
