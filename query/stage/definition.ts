/**
 * How a pipeline stage is defined: its name, its argument, where it may stand, and what it does to documents.
 *
 * Owns: defineStage and the shapes of stages. The registry collects definitions; pipeline.ts checks and runs them.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { RawValue } from '../../bson/index.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import type { QueryContext } from '../context.ts';
import type { ExecutorStatistics } from '../executor/plan-executor.ts';
import type { Yielder } from '../executor/yielding.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import type { PipelineHost } from './host.ts';
import type { UnpackSpecification } from '../timeseries/unpack-specification.ts';
import type { DocumentMap, DocumentSource } from './source.ts';

/** What $geoNear asks of the planner. */
export interface GeoNearSearch {
  /** The path to search; undefined: that of the only geospatial index. */
  readonly key: string | undefined;
  readonly query: Buffer;
  /** The condition of a find that gives the same documents: `{ $nearSphere: ... }`. */
  readonly condition: Buffer;
}

/** Groups by the value of a path, of which one document each is enough. */
export interface DistinctGroups {
  readonly kind: 'distinctGroups';
  readonly path: string;
  /** Which document of a group is looked at. */
  readonly takes: 'any' | 'first' | 'last';
  /** The same over documents in the opposite order. */
  readonly turned: () => PipelineStage;
}

/** What the planner may know of a stage to move or absorb it. */
export type StageNature =
  | { readonly kind: 'match'; readonly filter: Buffer; readonly hasText: boolean }
  | { readonly kind: 'geoNear'; readonly search: GeoNearSearch }
  | { readonly kind: 'sort'; readonly pattern: Buffer; readonly limit: number }
  | { readonly kind: 'limit'; readonly limit: number }
  | { readonly kind: 'skip'; readonly skip: number }
  /** Makes measurements of the buckets of a time series. */
  | { readonly kind: 'unpack'; readonly unpack: UnpackSpecification }
  | DistinctGroups
  /** One document in, one document out: limits may move before it. */
  | { readonly kind: 'oneToOne' }
  | { readonly kind: 'other' };

/** A parsed stage of one pipeline. Immutable: a pipeline may be opened several times. */
export interface PipelineStage {
  readonly name: string;
  readonly nature: StageNature;
  /** As explain shows it: the whole stage document. */
  readonly shown: Buffer;
  /** Paths of the input that the stage and those behind it need; undefined: possibly the whole document. */
  readonly pathsNeeded?: ReadonlySet<string>;
  /** Paths that it reads, of a stage that lets all other fields through as they are. */
  readonly reads?: readonly string[];
  /**
   * Whether a top-level field comes out of the stage as it went in, so that conditions on it may be asked before the stage. Absent: no
   * field does, or the number of documents depends on what went in before.
   */
  readonly keepsField?: (name: string) => boolean;
  /** The input field of which an output field is a copy under another name, when keepsField() is there. */
  readonly renamedField?: (name: string) => string | undefined;
  open(input: DocumentSource, run: PipelineRun): DocumentSource;
  /**
   * It is done with a document when it asks for the next one: what it keeps of it are copies, and what it gives of it, it gives before.
   * Absent: it may keep documents and values of them. Tests: test/query/executor/in-place.test.ts.
   */
  readonly letsGo?: boolean;
  /** It makes its documents itself: no collection is read before it. */
  readonly isSource?: boolean;
  /** It changes collections ($out, $merge): explain must not run it. */
  readonly writes?: boolean;
  /** For stages of one document each, usable outside a pipeline (updates): a fresh map. */
  readonly map?: () => DocumentMap;
  /** How scripts in the stage's expressions are found; absent: it evaluates nothing on its input. */
  readonly evaluation?: StageEvaluation;
  /** What takes long in it is watched in front of it. */
  readonly isWatched?: boolean;
  /** Its scripts are prepared in front of it. */
  readonly preparesScripts?: boolean;
}

/** All that a stage evaluates on a document of its input, without any other effect. */
export interface StageEvaluation {
  /** @returns a function with scratch state of its own. */
  start(): (document: Buffer) => unknown;
  /** The stage evaluates documents later than it takes them: at the end of its input, say. */
  readonly isLate?: boolean;
}

/** What a stage sees of the pipeline that runs. */
export interface PipelineRun {
  /** The same for all stages of the pipeline, whatever each of them is given besides. */
  readonly pipeline: object;
  readonly context: QueryContext;
  readonly yielder: Yielder;
  readonly interruption: Interruption;
  readonly statistics: ExecutorStatistics;
  readonly namespace: string;
  readonly database: string;
  readonly collection: CollectionDescription | undefined;
  readonly host: PipelineHost;
  /** Memory of one stage that holds documents, bytes. */
  readonly maxStageBytes: number;
  /** undefined: a stage that exceeds its memory fails. */
  readonly spill: SpillSpace | undefined;
  /** Names of the metadata that some stage asks for by {$meta: name}. */
  readonly metadata: ReadonlySet<string>;
  /** The view that reads are made in now; changes between batches. */
  readonly view: ReadView;
  /** Runs a pipeline on another collection of this view: $lookup, $unionWith, $graphLookup. */
  openPipeline(
    namespace: string,
    pipeline: readonly Buffer[],
    options?: { readonly context?: QueryContext },
  ): DocumentSource;
}

/** What parsing a stage may ask. */
export interface StageParser {
  readonly context: QueryContext;
  readonly database: string;
  /** "database.collection" */
  readonly namespace: string;
  /**
   * Parses a pipeline inside a stage ($facet, $lookup, $unionWith), in which some stages may be forbidden.
   * @param context of the inner pipeline, when it has more variables.
   */
  parsePipeline(
    stages: readonly Buffer[],
    inside: string,
    context?: QueryContext,
  ): readonly PipelineStage[];
}

export interface StageDefinition {
  readonly name: string;
  /** Must be the first stage (sources), the last one (writers), or may stand anywhere. */
  readonly position: 'first' | 'last' | 'anywhere';
  /** Runs without a collection (aggregate: 1); others then need a source before them. */
  readonly withoutCollection?: boolean;
  /** Names of stages inside whose pipelines it may not stand, such as '$facet'. */
  readonly notInside?: readonly string[];
  /** The argument -> one stage, or the several that it stands for. */
  parse(argument: RawValue, parser: StageParser, stage: Buffer): readonly PipelineStage[];
}

/** Declares one stage. The registry refuses a second definition of the name. */
export function defineStage(definition: StageDefinition): StageDefinition {
  return definition;
}
