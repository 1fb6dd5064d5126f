/**
 * What a compiled projection is to its callers.
 *
 * Owns: the types at the door of the projection family.
 */
import type { LongWork } from '../expression/long-work.ts';
import type { Filter } from '../matcher/filter.ts';
import type { RawValue } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';

/** What the executor knows of a document besides its bytes, for `{$meta: ...}`; absent values project nothing. */
export interface DocumentMetadata {
  readonly recordId?: RawValue;
  readonly indexKey?: Buffer;
  readonly sortKey?: RawValue;
  readonly textScore?: RawValue;
  readonly geoNearDistance?: RawValue;
  readonly geoNearPoint?: RawValue;
  readonly randVal?: RawValue;
  readonly searchScore?: RawValue;
}

export type MetadataName = keyof DocumentMetadata;

/** A compiled projection. Immutable. */
export interface Projection {
  /** The projected document; the same Buffer when the projection keeps everything. */
  apply(document: Buffer, positionalIndex?: number, metadata?: DocumentMetadata): Buffer;
  /**
   * Dotted paths that are enough to compute the result, when it is a pure inclusion of paths; undefined when the whole
   * document is needed. A plan whose index holds all of them need not fetch the document.
   */
  readonly fieldsNeeded: readonly string[] | undefined;
  /** Paths that the result depends on, those of expressions included; undefined: it may be any. */
  readonly pathsRead: ReadonlySet<string> | undefined;
  /** The projection has a positional `.$`: apply needs `Filter.matchPosition`. */
  readonly needsPosition: boolean;
  /** Names of the `$meta` values that it asks for. */
  readonly metadataNeeded: ReadonlySet<MetadataName>;
  /** Part of it is JavaScript: `apply` needs a prepared session. */
  readonly usesScripts: boolean;
  /** Whether part of it may take long. */
  readonly longWork: LongWork | undefined;
  /** It changes nothing: `{}`. */
  readonly isIdentity: boolean;
}

export interface ProjectionOptions {
  readonly context: QueryContext;
  /** The filter of the same query, for positional `.$`; absent: not checked against it. */
  readonly filter?: Filter;
  /** A projection of an aggregation stage: no `.$`, no find's `$slice`, no `$elemMatch`. */
  readonly stage?: boolean;
}
