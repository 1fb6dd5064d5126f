/**
 * One version of a collection in the catalog, with the writers of its indexes. Immutable.
 */
import type {
  CollectionDescription,
  CollectionUuid,
  Ident,
  IndexDescription,
  PageCompression,
} from '../contract.ts';
import {
  createIndexWriter,
  type IndexWriter,
  type KeyGeneratorSource,
  refusesDuplicates,
} from './index-keys.ts';

const ID_INDEX_NAME = '_id_';

export class CollectionVersion implements CollectionDescription {
  readonly ident: Ident;
  readonly uuid: CollectionUuid;
  readonly namespace: string;
  readonly kind: CollectionDescription['kind'];
  readonly options: Buffer;
  readonly compression: PageCompression;
  readonly indexes: readonly IndexDescription[];
  private readonly source: KeyGeneratorSource;
  /** Of the version before, if they were ever needed. */
  private readonly known: readonly IndexWriter[];
  private ownWriters: readonly IndexWriter[] | undefined;

  constructor(
    description: CollectionDescription,
    source: KeyGeneratorSource,
    previous?: CollectionVersion,
  ) {
    this.ident = description.ident;
    this.uuid = description.uuid;
    this.namespace = description.namespace;
    this.kind = description.kind;
    this.options = description.options;
    this.compression = description.compression;
    this.indexes = idIndexFirst(description.indexes);
    this.source = source;
    this.known = previous?.ownWriters ?? [];
  }

  /** One per index, those being built included. Made when first asked for: most of a large catalog is never written to. */
  get writers(): readonly IndexWriter[] {
    this.ownWriters ??= this.indexes.map((index) => this.writerFor(index));
    return this.ownWriters;
  }

  /** The version after this one, with other options, indexes or namespace. */
  with(
    changes: Partial<Pick<CollectionDescription, 'namespace' | 'options' | 'indexes'>>,
    source: KeyGeneratorSource,
  ): CollectionVersion {
    const { ident, uuid, kind, compression } = this;
    const { namespace, options, indexes } = this;
    const description = { ident, uuid, kind, compression, namespace, options, indexes, ...changes };
    return new CollectionVersion(description, source, this);
  }

  /** Keeps the compiled generator of an index whose specification did not change. */
  private writerFor(index: IndexDescription): IndexWriter {
    const known = this.known.find(
      (writer) => writer.index.ident === index.ident && writer.index.spec === index.spec,
    );
    return known === undefined
      ? createIndexWriter(index, this.source)
      : { ...known, index, refusesDuplicates: refusesDuplicates(index) };
  }
}

/** Made anew, it comes behind an index whose build was under way: it takes its place before all others again. */
function idIndexFirst(indexes: readonly IndexDescription[]): readonly IndexDescription[] {
  const [first] = indexes;
  if (first === undefined || first.name === ID_INDEX_NAME) return indexes;
  const idIndex = indexes.find(({ name, ready }) => name === ID_INDEX_NAME && ready);
  return idIndex === undefined
    ? indexes
    : [idIndex, ...indexes.filter((index) => index !== idIndex)];
}
