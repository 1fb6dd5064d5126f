/**
 * A planned pipeline: a find at its beginning where there is one, then stages.
 *
 * Owns: the pipeline's run: its view, and the executors of joined collections, which are detached and attached with it.
 */
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../../common/limits.ts';
import type { QueryContext } from '../context.ts';
import {
  DEFAULT_STAGE_BYTES,
  type ExecutorStatistics,
  newStatistics,
  type OpenOptions,
  type PlanExecutor,
} from '../executor/plan-executor.ts';
import { Yielder } from '../executor/yielding.ts';
import { explainAggregate } from '../explain/explain-aggregate.ts';
import type { PipelineRun, PipelineStage } from '../stage/definition.ts';
import type { PipelineHost } from '../stage/host.ts';
import { AsyncIterableSource, type DocumentSource, IterableSource } from '../stage/source.ts';
import { ApartSource, PlanSource } from '../stage/plan-source.ts';
import { systemTemporaryFiles, type SpillSpace } from '../spill/spill-space.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';
import type { AggregateRequest } from './aggregate-request.ts';
import type { ExplainVerbosity, QueryPlan } from './query-plan.ts';
import { StageAccount } from './stage-accounts.ts';
import { databaseOf } from './resolve-view.ts';

/** planAggregate, handed down so that stages can plan pipelines of their own. */
export type PlanPipeline = (
  view: ReadView,
  collection: CollectionDescription | undefined,
  request: AggregateRequest,
  context: QueryContext,
) => QueryPlan;

export interface AggregatePlanParts {
  readonly find: QueryPlan | undefined;
  readonly stages: readonly PipelineStage[];
  readonly request: AggregateRequest;
  readonly namespace: string;
  readonly collection: CollectionDescription | undefined;
  readonly context: QueryContext;
  readonly planPipeline: PlanPipeline;
  /** Names of the metadata that the stages ask for. */
  readonly metadata: ReadonlySet<string>;
}

export class AggregatePlan implements QueryPlan {
  readonly parts: AggregatePlanParts;

  constructor(parts: AggregatePlanParts) {
    this.parts = parts;
  }

  get summary(): string {
    return this.parts.find?.summary ?? this.parts.stages[0]?.name ?? 'EOF';
  }

  get namespace(): string {
    return this.parts.namespace;
  }

  open(view: ReadView, interruption: Interruption, options: OpenOptions = {}): PlanExecutor {
    const { find, stages } = this.parts;
    if (find !== undefined && stages.length === 0) return find.open(view, interruption, options);
    return new PipelineExecutor(this.parts, view, interruption, options);
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    const { find, stages } = this.parts;
    const run = { verbosity, view, interruption };
    // To explain a stage that writes is not to write.
    const mayRun = stages.length > 0 && stages.every((stage) => stage.writes !== true);
    if (verbosity === 'queryPlanner' || !mayRun) return explainAggregate(find, stages, run);
    return this.accountFor(view, interruption).then((accounts) =>
      explainAggregate(find, stages, { ...run, accounts }),
    );
  }

  /** Runs the pipeline. @returns what each stage did. */
  private async accountFor(
    view: ReadView,
    interruption: Interruption,
  ): Promise<readonly StageAccount[]> {
    const accounts = this.parts.stages.map(() => new StageAccount());
    const executor = new PipelineExecutor(this.parts, view, interruption, {}, accounts);
    try {
      for (;;) {
        const next = executor.next();
        if ((next instanceof Promise ? await next : next) === undefined) return accounts;
      }
    } finally {
      executor.close();
    }
  }
}

/** A source that counts what it gives. */
function counted(source: DocumentSource, account: StageAccount): DocumentSource {
  const count = (document: Buffer | undefined): Buffer | undefined => {
    if (document !== undefined) account.returned += 1;
    return document;
  };
  return {
    next: () => {
      const document = source.next();
      return document instanceof Promise ? document.then(count) : count(document);
    },
    close: () => source.close(),
  };
}

/** Between stages documents may grow beyond what a client can be given. */
function checkSize(document: Buffer | undefined): Buffer | undefined {
  if (document === undefined || document.length <= MAX_BSON_INTERNAL_BYTES) return document;
  throw new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${document.length} (0x${document.length.toString(16).toUpperCase()}) is invalid. Size must be between 0 and ${MAX_BSON_INTERNAL_BYTES}(16MB)`,
  );
}

class PipelineExecutor implements PlanExecutor, PipelineRun {
  readonly pipeline = {};
  readonly recordId = undefined;
  readonly statistics;
  readonly context: QueryContext;
  readonly yielder: Yielder;
  readonly namespace: string;
  readonly database: string;
  readonly collection: CollectionDescription | undefined;
  readonly host: PipelineHost;
  readonly maxStageBytes: number;
  readonly spill: SpillSpace | undefined;
  private readonly parts: AggregatePlanParts;
  private readonly executors = new Set<PlanExecutor>();
  private readonly isOutermost: boolean;
  private readonly top: DocumentSource;
  private currentView: ReadView;

  constructor(
    parts: AggregatePlanParts,
    view: ReadView,
    interruption: Interruption,
    options: OpenOptions,
    /** Filled with what each stage does, for explain. */
    accounts?: readonly StageAccount[],
  ) {
    this.parts = parts;
    this.context = parts.context;
    this.namespace = parts.namespace;
    this.database = databaseOf(parts.namespace);
    this.collection = parts.collection;
    this.host = parts.request.host ?? {};
    this.maxStageBytes = options.maxStageBytes ?? DEFAULT_STAGE_BYTES;
    const mayUseDisk = parts.request.allowDiskUse ?? true;
    this.spill = mayUseDisk ? (options.spill ?? systemTemporaryFiles) : undefined;
    this.currentView = view;
    this.isOutermost = options.within === undefined;
    this.statistics = options.within?.statistics ?? newStatistics();
    this.yielder =
      options.within?.yielder ?? new Yielder(parts.context.clock, interruption, options.client);
    if (this.isOutermost) this.yielder.statistics = this.statistics;
    const { renewView } = options;
    // A pipeline may run for minutes: a view as old as that would hold every version written meanwhile.
    if (renewView !== undefined) this.yielder.onResume = () => this.moveTo(renewView());
    this.top = this.openStages(accounts);
  }

  /** Documents are read in place up to the first stage that might keep some. */
  private openStages(accounts: readonly StageAccount[] | undefined): DocumentSource {
    const { find, stages } = this.parts;
    const keeping = stages.findIndex(({ letsGo }) => letsGo !== true);
    const inPlaceStages = keeping < 0 ? stages.length : keeping;
    const read =
      find === undefined ? undefined : this.openFind(find, { inPlace: inPlaceStages > 0 });
    let source: DocumentSource = read ?? new IterableSource([]);
    stages.forEach((stage, position) => {
      const account = accounts?.[position];
      if (account === undefined) source = stage.open(source, this);
      else source = counted(stage.open(source, this.observedBy(account)), account);
      if (read !== undefined && position + 1 === inPlaceStages) {
        source = new ApartSource(source, read);
      }
    });
    return source;
  }

  get metadata(): ReadonlySet<string> {
    return this.parts.metadata;
  }

  get view(): ReadView {
    return this.currentView;
  }

  get interruption(): Interruption {
    return this.yielder.interruption;
  }

  next(): MaybePromise<Buffer | undefined> {
    const document = this.top.next();
    return document instanceof Promise ? document.then(checkSize) : checkSize(document);
  }

  openPipeline(
    namespace: string,
    pipeline: readonly Buffer[],
    options: { readonly context?: QueryContext } = {},
  ): DocumentSource {
    const { host } = this;
    if (host.openPipeline !== undefined) {
      const context = options.context ?? this.context;
      return new AsyncIterableSource(host.openPipeline(namespace, pipeline, context));
    }
    return this.sourceOf(this.planInner(namespace, pipeline, options.context ?? this.context));
  }

  private planInner(
    namespace: string,
    pipeline: readonly Buffer[],
    context: QueryContext,
  ): QueryPlan {
    const { parts, view } = this;
    const request = { ...parts.request, pipeline, namespace, hint: undefined };
    return parts.planPipeline(view, view.collection(namespace), request, context);
  }

  /** The same run, for one stage: what its pipelines read is its own. */
  private observedBy(account: StageAccount): PipelineRun {
    const openPipeline: PipelineRun['openPipeline'] = (namespace, pipeline, options = {}) => {
      const context: QueryContext = Object.create(options.context ?? this.context, {
        observer: { value: account },
      });
      return this.sourceOf(this.planInner(namespace, pipeline, context), account.statistics);
    };
    const observed: PipelineRun = Object.create(this, { openPipeline: { value: openPipeline } });
    return observed;
  }

  private sourceOf(plan: QueryPlan, statistics = this.statistics): DocumentSource {
    return this.openFind(plan, { statistics });
  }

  private openFind(
    plan: QueryPlan,
    {
      statistics = this.statistics,
      inPlace = false,
    }: { readonly statistics?: ExecutorStatistics; readonly inPlace?: boolean },
  ): PlanSource {
    const { yielder, executors, spill, maxStageBytes } = this;
    const executor = plan.open(this.view, this.interruption, {
      within: { yielder, statistics },
      maxStageBytes,
      inPlace,
      ...(spill === undefined ? {} : { spill }),
    });
    executors.add(executor);
    return new PlanSource(executor, () => {
      executors.delete(executor);
      executor.close();
    });
  }

  detach(): void {
    for (const executor of this.executors) executor.detach();
  }

  private moveTo(view: ReadView): void {
    this.detach();
    this.attach(view);
  }

  attach(view: ReadView, interruption?: Interruption): void {
    this.currentView = view;
    if (interruption !== undefined) this.yielder.interruption = interruption;
    for (const executor of this.executors) executor.attach(view, interruption);
  }

  close(): void {
    this.top.close();
    for (const executor of this.executors) executor.close();
    this.executors.clear();
    if (this.isOutermost) this.context.scripts?.running?.close();
  }
}
