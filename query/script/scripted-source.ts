/**
 * Stands before a pipeline stage that contains scripts: lets a document through once the scripts that the stage will reach with it
 * have run.
 */
import type { PipelineRun } from '../stage/definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from '../stage/source.ts';
import { carryMetadata } from '../document-metadata.ts';
import { ownedDocument } from '../owned.ts';
import type { ScriptSession } from './script-session.ts';
import { ScriptWindow } from './script-window.ts';

export class ScriptedSource extends PullSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly evaluate: (document: Buffer) => unknown;
  private readonly window: ScriptWindow<Buffer>;
  private ended = false;

  /** @param evaluate evaluates everything that the stage evaluates on a document, and has no other effect. */
  constructor(
    run: PipelineRun,
    input: DocumentSource,
    session: ScriptSession,
    options: { readonly evaluate: (document: Buffer) => unknown; readonly keepAll: boolean },
  ) {
    super(run.yielder);
    this.run = run;
    this.input = input;
    this.evaluate = options.evaluate;
    this.window = new ScriptWindow(session, options.keepAll);
  }

  protected step(): SourceStep {
    const { window } = this;
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      if (this.ended || !window.takes) {
        if (window.isEmpty) return undefined;
        const settling = window.settle(this.run.interruption);
        return settling === undefined ? window.take() : settling.then(() => AGAIN);
      }
      const document = this.input.next();
      if (document instanceof Promise) return document.then((loaded) => this.offer(loaded));
      this.offer(document);
    }
  }

  private offer(document: Buffer | undefined): typeof AGAIN {
    if (document === undefined) this.ended = true;
    else {
      const own = carryMetadata(document, ownedDocument(document));
      this.window.offer(own, own.length, () => this.evaluate(own));
    }
    return AGAIN;
  }

  close(): void {
    this.window.close();
    this.input.close();
  }
}
