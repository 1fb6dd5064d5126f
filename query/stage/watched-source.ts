/**
 * Stands before a pipeline stage whose expressions may take long ($map over a long array, say): evaluates what the stage will
 * evaluate under a watch, and then lets the document through; the stage finds what is done.
 */
import { CommandError } from '../../common/errors.ts';
import { evaluateWatched, newWatch } from '../executor/watched-rows.ts';
import { type LongWork, type LoopWatch, needsWatch } from '../expression/long-work.ts';
import type { PipelineRun, PipelineStage } from './definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from './source.ts';

class WatchedSource extends PullSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly evaluate: (document: Buffer) => unknown;
  private readonly longWork: LongWork;
  private watch: LoopWatch | undefined;

  constructor(
    run: PipelineRun,
    input: DocumentSource,
    evaluate: (document: Buffer) => unknown,
    longWork: LongWork,
  ) {
    super(run.yielder);
    this.run = run;
    this.input = input;
    this.evaluate = evaluate;
    this.longWork = longWork;
  }

  protected step(): SourceStep {
    const { watch } = this;
    if (watch === undefined) {
      const document = this.input.next();
      if (document instanceof Promise) return document.then((loaded) => this.begin(loaded));
      return this.begin(document);
    }
    if (!this.isThrough(watch)) return this.goOn(watch);
    this.watch = undefined;
    return watch.document;
  }

  private begin(document: Buffer | undefined): SourceStep {
    if (document === undefined || !needsWatch(this.longWork, document)) return document;
    const watch = newWatch(document, this.run.context.clock);
    if (this.isThrough(watch)) return document;
    this.watch = watch;
    return this.goOn(watch);
  }

  private goOn(watch: LoopWatch): typeof AGAIN | Promise<typeof AGAIN> {
    return watch.outside(this.run.interruption)?.then((): typeof AGAIN => AGAIN) ?? AGAIN;
  }

  private isThrough(watch: LoopWatch): boolean {
    try {
      const done = evaluateWatched(watch, () => {
        this.evaluate(watch.document);
        return true;
      });
      return done === true;
    } catch (error) {
      // The stage itself meets it again.
      if (error instanceof CommandError) return true;
      throw error;
    }
  }

  close(): void {
    this.input.close();
  }
}

/** The stage with what takes long watched. What contains scripts is tried in front of it anyway, and not watched. */
export function withWatch(stage: PipelineStage, longWork: LongWork): PipelineStage {
  const { evaluation } = stage;
  if (evaluation === undefined || stage.isWatched === true || stage.preparesScripts === true) {
    return stage;
  }
  return {
    ...stage,
    isWatched: true,
    letsGo: false,
    open: (input, run) =>
      stage.open(new WatchedSource(run, input, evaluation.start(), longWork), run),
  };
}
