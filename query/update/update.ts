/**
 * What a compiled update is to its callers.
 *
 * Owns: the types at the door of the update family.
 */
import type { LongWork } from '../expression/long-work.ts';
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';

/** A compiled update. Immutable; may be applied to any number of documents. */
export interface Update {
  readonly kind: 'modifiers' | 'replacement' | 'pipeline';
  /**
   * Some path has a positional `$`: `apply` needs the array index that the filter matched
   * (`Filter.matchPosition`), and an upsert is refused.
   */
  readonly needsPosition: boolean;
  /** Part of it is JavaScript: `apply` needs a prepared session. */
  readonly usesScripts?: boolean;
  /** Whether part of it may take long. */
  readonly longWork?: LongWork | undefined;
  /**
   * The updated document; the same Buffer when nothing changes. Untouched fields are copied byte for byte.
   * @param positionalIndex index of the array element that the filter matched, for `$`.
   * @throws CommandError as MongoDB names it: ImmutableField 66, TypeMismatch 14, PathNotViable 28, ...
   */
  apply(document: Buffer, positionalIndex?: number): Buffer;
  /**
   * The document to insert when nothing matched: the equality parts of the filter, then the update with `$setOnInsert`.
   * Without `_id` unless filter or update name one: the caller adds it.
   */
  upsertDocument(filter: Buffer): Buffer;
}

/** Runs one document through the stages of a pipeline update; injected, because stages stand above updates. */
export type TransformDocument = (document: Buffer) => Buffer;

/** Compiles the stages of a pipeline update (`$set $addFields $unset $project $replaceRoot $replaceWith`). */
export type CompilePipelineUpdate = (
  stages: readonly Buffer[],
  context: QueryContext,
) => TransformDocument;

export interface UpdateOptions {
  readonly context: QueryContext;
  readonly upsert?: boolean;
  readonly multi?: boolean;
  readonly arrayFilters?: readonly Buffer[];
  /** `c` of the update statement: variables of a pipeline update. */
  readonly constants?: Buffer;
  /** A replacement stores empty timestamps as they are, instead of the time. */
  readonly keepEmptyTimestamps?: boolean;
  /** Needed for updates that are pipelines. */
  readonly compilePipeline?: CompilePipelineUpdate;
}

/** The update itself: a document of modifiers, a replacement document, or an array of stages. */
export type UpdateSpecification = RawValue;
