/**
 * Where a pipeline's documents are read, and the place up to which they may be read in place.
 *
 * Promises: behind an ApartSource a document is its reader's for as long as it likes.
 */
import type { MaybePromise } from '../../storage/index.ts';
import type { PlanExecutor } from '../executor/plan-executor.ts';
import { apartFrom } from '../owned.ts';
import type { DocumentSource } from './source.ts';

/** The documents of a plan. */
export class PlanSource implements DocumentSource {
  private readonly executor: PlanExecutor;
  private readonly onClose: () => void;
  /** The last document, when it was given in place: good until the next one is asked for. */
  inPlace: Buffer | undefined;

  constructor(executor: PlanExecutor, onClose: () => void) {
    this.executor = executor;
    this.onClose = onClose;
  }

  next(): MaybePromise<Buffer | undefined> {
    const document = this.executor.next();
    return document instanceof Promise
      ? document.then((loaded) => this.give(loaded))
      : this.give(document);
  }

  private give(document: Buffer | undefined): Buffer | undefined {
    this.inPlace = this.executor.isInPlace === true ? document : undefined;
    return document;
  }

  close(): void {
    this.onClose();
  }
}

/** Behind the last stage that lets go: what comes out of it may be a document that is read in place, or a part of one. */
export class ApartSource implements DocumentSource {
  private readonly input: DocumentSource;
  private readonly read: PlanSource;

  constructor(input: DocumentSource, read: PlanSource) {
    this.input = input;
    this.read = read;
  }

  next(): MaybePromise<Buffer | undefined> {
    const document = this.input.next();
    return document instanceof Promise
      ? document.then((loaded) => this.apart(loaded))
      : this.apart(document);
  }

  private apart(document: Buffer | undefined): Buffer | undefined {
    const { inPlace } = this.read;
    return document === undefined || inPlace === undefined
      ? document
      : apartFrom(document, inPlace);
  }

  close(): void {
    this.input.close();
  }
}
