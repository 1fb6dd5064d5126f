/**
 * What stages need from outside the query floor: a server's own documents, and writing.
 *
 * Owns: the seam only. The server hands in an implementation; without one the stages that need it are refused.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { QueryContext } from '../context.ts';
import type { CollectionDescription, MaybePromise, ReadView } from '../../storage/index.ts';

/** How $out and $merge write. The implementation makes its own transactions. */
export interface OutputWriter {
  /** $out: replaces the collection's documents with `documents`, keeping options and indexes. */
  replaceCollection(
    namespace: string,
    documents: AsyncIterable<Buffer[]>,
    options: { readonly timeseries?: Buffer },
  ): Promise<void>;
  /** $merge: inserts a document. @throws CommandError 11000. */
  insert(namespace: string, document: Buffer): MaybePromise<void>;
  /**
   * $merge: finds the one document that equals `key` in all its fields, and replaces it by what `change` makes of it
   * (undefined: leave it). @returns whether a document was found.
   */
  change(
    namespace: string,
    key: Buffer,
    change: (before: Buffer) => Buffer | undefined,
  ): MaybePromise<boolean>;
}

/** Documents that only the server has: operations, sessions, statistics. */
export interface PipelineHost {
  readonly writer?: OutputWriter;
  /**
   * Runs a pipeline on another collection that is not in this store: for $lookup, $unionWith, $graphLookup in a router.
   * Absent: the collection is in the pipeline's own view.
   */
  openPipeline?(
    namespace: string,
    pipeline: readonly Buffer[],
    context: QueryContext,
  ): AsyncIterable<Buffer>;
  /**
   * Documents for a source stage such as $currentOp, $collStats, $indexStats, $listLocalSessions, $changeStream.
   * @param stage name with its dollar. @returns undefined when the server has no such source.
   */
  source?(
    stage: string,
    argument: Buffer,
    where: {
      readonly namespace: string;
      readonly view: ReadView;
      readonly collection: CollectionDescription | undefined;
      readonly interruption: Interruption;
    },
  ): AsyncIterable<Buffer> | Iterable<Buffer> | undefined;
}
