/**
 * The cursor of aggregate, and stages that can be added before it is sent.
 */
import type { Document } from 'bson';
import { MongoAPIError } from '../errors/driver-errors.ts';
import { aggregateCommand, writes } from '../operations/aggregate.ts';
import type { Deadline } from '../operations/deadline.ts';
import { execute, type CommandResult } from '../operations/execute.ts';
import { explained, explainVerbosity } from '../operations/explain.ts';
import type { Scope } from '../operations/scope.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type {
  AggregateOptions,
  CursorOptions,
  ExplainCommandOptions,
  ExplainVerbosityLike,
} from '../types/options.ts';
import { formatSort, type Sort } from '../types/sort.ts';
import { ExplainableCursor } from './explainable-cursor.ts';

export class AggregationCursor<T = unknown> extends ExplainableCursor<T> {
  readonly pipeline: Document[];
  readonly #options: AggregateOptions;

  constructor(scope: Scope, pipeline: readonly Document[] = [], options: AggregateOptions = {}) {
    super(scope, options);
    this.pipeline = [...pipeline];
    this.#options = this.cursorOptions;
    if (options.timeoutMode === 'iteration' && writes(pipeline)) {
      throw new MongoAPIError('Cannot use $out or $merge stage with ITERATION timeoutMode');
    }
    if (options.explain !== undefined && options.writeConcern !== undefined) {
      throw new MongoAPIError(
        'Option "explain" cannot be used on an aggregate call with writeConcern',
      );
    }
  }

  override clone(): AggregationCursor<T> {
    const { session: _session, ...options } = this.#options;
    return new AggregationCursor<T>(this.scope, this.pipeline, options);
  }

  override map<Result>(transform: (document: T) => Result): AggregationCursor<Result> {
    this.throwIfOpened();
    this.addTransform(transform);
    return this.#as<Result>();
  }

  #as<Result>(): AggregationCursor<Result> {
    return retyped<Result>(this);
  }

  protected override open(session: ClientSession, deadline: Deadline): Promise<CommandResult> {
    const command = aggregateCommand(this.scope.collection ?? 1, this.pipeline, this.#options);
    const hasOutput = writes(this.pipeline) || this.#options.out !== undefined;
    const request = this.scope.request(explained(command, this.#options.explain), this.#options, {
      kind: 'read',
      // What writes is not run twice.
      mayRetry: !hasOutput,
      takesReadConcern: true,
      takesWriteConcern: hasOutput,
      decode: 'batch',
      deadline,
      keepsMaxTime: this.#options.timeoutMode === 'iteration',
    });
    return execute(this.client, { ...request, session });
  }

  protected override get explains(): boolean {
    return explainVerbosity(this.#options.explain) !== undefined;
  }

  protected override explainCommand(
    explain: ExplainVerbosityLike | ExplainCommandOptions,
    options: CursorOptions,
  ): Promise<Document> {
    const command = aggregateCommand(this.scope.collection ?? 1, this.pipeline, this.#options);
    return this.scope.run(explained(command, explain), options, { kind: 'read', ignoresRaw: true });
  }

  addStage<Result = Document>(stage: Document): AggregationCursor<Result> {
    this.throwIfOpened();
    this.pipeline.push(stage);
    return this.#as<Result>();
  }

  group<Result = T>($group: Document): AggregationCursor<Result> {
    return this.addStage<Result>({ $group });
  }

  limit($limit: number): this {
    this.addStage({ $limit });
    return this;
  }

  match($match: Document): this {
    this.addStage({ $match });
    return this;
  }

  out($out: string | { db: string; coll: string }): this {
    this.addStage({ $out });
    return this;
  }

  project<Result extends Document = Document>($project: Document): AggregationCursor<Result> {
    return this.addStage<Result>({ $project });
  }

  lookup($lookup: Document): this {
    this.addStage({ $lookup });
    return this;
  }

  redact($redact: Document): this {
    this.addStage({ $redact });
    return this;
  }

  skip($skip: number): this {
    this.addStage({ $skip });
    return this;
  }

  sort(sort: Sort): this {
    this.addStage({ $sort: formatSort(sort) });
    return this;
  }

  unwind($unwind: Document | string): this {
    this.addStage({ $unwind });
    return this;
  }

  geoNear($geoNear: Document): this {
    this.addStage({ $geoNear });
    return this;
  }
}

/** The same cursor: its stages decide what its documents are, and only their author knows that. */
function retyped<Result>(cursor: AggregationCursor): AggregationCursor<Result> {
  return cursor as AggregationCursor<Result>;
}
