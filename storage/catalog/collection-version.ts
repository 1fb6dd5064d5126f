/**
 * One version of a collection in the catalog, with the writers of its indexes. Immutable.
 */
import type {
  CollectionDescription,
  CollectionUuid,
  Ident,
  IndexDescription,
} from '../contract.ts';
import { createIndexWriter, type IndexWriter, type KeyGeneratorSource } from './index-keys.ts';

export class CollectionVersion implements CollectionDescription {
  readonly ident: Ident;
  readonly uuid: CollectionUuid;
  readonly namespace: string;
  readonly kind: CollectionDescription['kind'];
  readonly options: Buffer;
  readonly indexes: readonly IndexDescription[];
  /** One per index, those being built included. */
  readonly writers: readonly IndexWriter[];

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
    this.indexes = description.indexes;
    this.writers = description.indexes.map((index) => writerFor(index, source, previous));
  }

  /** The version after this one, with other options, indexes or namespace. */
  with(
    changes: Partial<Pick<CollectionDescription, 'namespace' | 'options' | 'indexes'>>,
    source: KeyGeneratorSource,
  ): CollectionVersion {
    const { ident, uuid, kind } = this;
    const { namespace, options, indexes } = this;
    const description = { ident, uuid, kind, namespace, options, indexes, ...changes };
    return new CollectionVersion(description, source, this);
  }
}

/** Keeps the compiled generator of an index whose specification did not change. */
function writerFor(
  index: IndexDescription,
  source: KeyGeneratorSource,
  previous: CollectionVersion | undefined,
): IndexWriter {
  const known = previous?.writers.find(
    (writer) => writer.index.ident === index.ident && writer.index.spec === index.spec,
  );
  return known === undefined ? createIndexWriter(index, source) : { ...known, index };
}
