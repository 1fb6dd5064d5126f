/**
 * Stands before a pipeline stage whose expressions contain loops ($map over a long array, say): evaluates what the stage will
 * evaluate slice by slice, and then lets the document through; the stage finds what is done.
 */
import { CommandError } from '../../common/errors.ts';
import { evaluateWatched, newWatch } from '../executor/watched-rows.ts';
import type { LoopWatch } from '../expression/long-loops.ts';
import type { PipelineRun, PipelineStage } from './definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from './source.ts';

class WatchedSource extends PullSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly evaluate: (document: Buffer) => unknown;
  private watch: LoopWatch | undefined;

  constructor(run: PipelineRun, input: DocumentSource, evaluate: (document: Buffer) => unknown) {
    super(run.yielder);
    this.run = run;
    this.input = input;
    this.evaluate = evaluate;
  }

  protected step(): SourceStep {
    const { watch } = this;
    if (watch === undefined) {
      const document = this.input.next();
      if (document instanceof Promise) return document.then((loaded) => this.begin(loaded));
      return this.begin(document);
    }
    if (!this.isThrough(watch)) return AGAIN;
    this.watch = undefined;
    return watch.document;
  }

  private begin(document: Buffer | undefined): Buffer | undefined | typeof AGAIN {
    if (document === undefined) return undefined;
    const watch = newWatch(document, this.run.context.clock);
    if (this.isThrough(watch)) return document;
    this.watch = watch;
    return AGAIN;
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

/** The stage with its loops watched. What contains scripts is tried in front of it anyway, and not watched. */
export function withWatch(stage: PipelineStage): PipelineStage {
  const { evaluation } = stage;
  if (evaluation === undefined || stage.watchesLoops === true || stage.preparesScripts === true) {
    return stage;
  }
  return {
    ...stage,
    watchesLoops: true,
    open: (input, run) => stage.open(new WatchedSource(run, input, evaluation.start()), run),
  };
}
