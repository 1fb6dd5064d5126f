/**
 * What the directory and the archive form of a dump have in common: how one is filled, and how one is read.
 */
import type { NamespaceDescription, NamespaceKind } from '../transfer/namespaces.ts';

/** Takes the documents of one namespace. */
export interface DocumentSink {
  write(document: Buffer): Promise<void>;
  /** Everything was written. */
  end(): Promise<void>;
}

export interface DumpTarget {
  /** Called once, before any documents. */
  begin(namespaces: readonly NamespaceDescription[], serverVersion: string): Promise<void>;
  /** One after the other; a view's is ended with nothing written. */
  open(namespace: NamespaceDescription): Promise<DocumentSink>;
  /** The dump is whole and on its way to the disk. */
  close(): Promise<void>;
  /** The dump failed: what is open is closed. */
  abandon(): Promise<void>;
}

/** A namespace as a dump tells of it. */
export interface DumpedNamespace {
  readonly database: string;
  readonly collection: string;
  readonly kind: NamespaceKind;
  readonly options: Buffer;
  readonly indexes: readonly Buffer[];
}

/** What lies in a dump, in the order in which it lies there. */
export type DumpEvent =
  | {
      readonly type: 'document';
      readonly namespace: DumpedNamespace;
      readonly document: Buffer;
      readonly offset: number;
    }
  | { readonly type: 'end'; readonly namespace: DumpedNamespace };

export interface DumpSource {
  /** All of it, known before any documents are read. */
  readonly namespaces: readonly DumpedNamespace[];
  /** Sentences about what is not restored. */
  readonly notes: readonly string[];
  /**
   * Of a time series the documents are those of its buckets.
   * @param wanted the namespaces whose documents are asked for: those of others are not given.
   * @throws FailedCommand for a damaged dump.
   */
  events(wanted: (namespace: DumpedNamespace) => boolean): AsyncIterable<DumpEvent>;
  /** What offsets of a namespace's documents count in: a file's name. */
  placeOf(namespace: DumpedNamespace): string;
  close(): Promise<void>;
}
