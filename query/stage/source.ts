/**
 * Where the documents of a pipeline come from, stage by stage.
 *
 * Owns: the pull contract between stages: next() gives a document or undefined at the end, synchronously where it can.
 */
import type { MaybePromise } from '../../storage/index.ts';
import { carryMetadata } from '../document-metadata.ts';
import type { Yielder } from '../executor/yielding.ts';

export interface DocumentSource {
  next(): MaybePromise<Buffer | undefined>;
  close(): void;
}

/** A step that has neither a document nor the end: the slice is over, or (from a promise) ask again. */
export const AGAIN: unique symbol = Symbol('again');
export type SourceStep = MaybePromise<Buffer | undefined | typeof AGAIN>;

/** A source whose loop is synchronous; only a step that has to wait enters the asynchronous driver. */
export abstract class PullSource implements DocumentSource {
  protected readonly yielder: Yielder;

  constructor(yielder: Yielder) {
    this.yielder = yielder;
  }

  protected abstract step(): SourceStep;
  abstract close(): void;

  next(): MaybePromise<Buffer | undefined> {
    const step = this.step();
    return step === AGAIN || step instanceof Promise ? this.drive(step) : step;
  }

  private async drive(
    first: typeof AGAIN | Promise<Buffer | undefined | typeof AGAIN>,
  ): Promise<Buffer | undefined> {
    let step: SourceStep = first;
    for (;;) {
      if (step === AGAIN) {
        await this.yielder.pause();
      } else {
        const result: Buffer | undefined | typeof AGAIN = await step;
        if (result !== AGAIN) return result;
      }
      step = this.step();
      if (step !== AGAIN && !(step instanceof Promise)) return step;
    }
  }
}

/** What a map over one document gives: the new document, or undefined to drop it. */
export type DocumentMap = (document: Buffer) => Buffer | undefined;

/** One document in, at most one out: $match, $project, $set, $replaceRoot, ... */
export class MapSource extends PullSource {
  private readonly input: DocumentSource;
  private readonly map: DocumentMap;

  constructor(yielder: Yielder, input: DocumentSource, map: DocumentMap) {
    super(yielder);
    this.input = input;
    this.map = map;
  }

  protected step(): SourceStep {
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      const document = this.input.next();
      if (document === undefined) return undefined;
      if (document instanceof Promise) return this.later(document);
      const mapped = this.map(document);
      if (mapped !== undefined) return carryMetadata(document, mapped);
    }
  }

  private async later(
    document: Promise<Buffer | undefined>,
  ): Promise<Buffer | undefined | typeof AGAIN> {
    const loaded = await document;
    if (loaded === undefined) return undefined;
    const mapped = this.map(loaded);
    return mapped === undefined ? AGAIN : carryMetadata(loaded, mapped);
  }

  close(): void {
    this.input.close();
  }
}

/** What a blocking stage gives while it makes its output. */
export type BlockingOutput = Buffer | typeof AGAIN | Promise<typeof AGAIN>;

/**
 * Takes all input before it gives anything: $group, $sort, $bucketAuto, ... `finish` is called once, at the end of the
 * input, and gives the output.
 */
export abstract class BlockingSource extends PullSource {
  protected readonly input: DocumentSource;
  private output: Iterator<BlockingOutput> | undefined;

  constructor(yielder: Yielder, input: DocumentSource) {
    super(yielder);
    this.input = input;
  }

  /** @returns a promise when it has to wait before it can take more. */
  protected abstract take(document: Buffer): void | Promise<void>;
  /** The output; AGAIN (or a promise of it) in between when making it takes long. */
  protected abstract finish(): Iterator<BlockingOutput>;

  protected step(): SourceStep {
    if (this.output !== undefined) return this.give(this.output);
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      const document = this.input.next();
      if (document === undefined) return this.give((this.output = this.finish()));
      if (document instanceof Promise) return this.later(document);
      const taking = this.take(document);
      if (taking !== undefined) return taking.then(() => AGAIN);
    }
  }

  private give(output: Iterator<BlockingOutput>): SourceStep {
    if (this.yielder.tick()) return AGAIN;
    const next = output.next();
    return next.done === true ? undefined : next.value;
  }

  private async later(document: Promise<Buffer | undefined>): Promise<typeof AGAIN> {
    const loaded = await document;
    if (loaded === undefined) this.output = this.finish();
    else await this.take(loaded);
    return AGAIN;
  }

  close(): void {
    this.output = [].values();
    this.input.close();
  }
}

/** Gives what an iterable holds. */
export class IterableSource implements DocumentSource {
  private readonly iterator: Iterator<Buffer>;

  constructor(documents: Iterable<Buffer>) {
    this.iterator = documents[Symbol.iterator]();
  }

  next(): Buffer | undefined {
    const next = this.iterator.next();
    return next.done === true ? undefined : next.value;
  }

  close(): void {
    this.iterator.return?.();
  }
}

/** Gives what an asynchronous iterable holds. */
export class AsyncIterableSource implements DocumentSource {
  private readonly iterator: AsyncIterator<Buffer>;

  constructor(documents: AsyncIterable<Buffer>) {
    this.iterator = documents[Symbol.asyncIterator]();
  }

  async next(): Promise<Buffer | undefined> {
    const next = await this.iterator.next();
    return next.done === true ? undefined : next.value;
  }

  close(): void {
    void this.iterator.return?.();
  }
}

/** All documents of a source that is small by nature (a joined set, a facet). */
export async function drain(
  source: DocumentSource,
  take: (document: Buffer) => void,
): Promise<void> {
  for (;;) {
    const next = source.next();
    const document = next instanceof Promise ? await next : next;
    if (document === undefined) return;
    take(document);
  }
}
