/**
 * What a shard's plan knows of a document besides its bytes (text score, distance, sort key), on its way to the router's part of a
 * pipeline: in one field more, which the router takes away again.
 */
import {
  BsonType,
  DocumentBuilder,
  documentOf,
  getField,
  stringValue,
  unsetField,
  type RawValue,
} from '../../bson/index.ts';
import { collectMetadata, withMetadata } from '../../query/index.ts';

/** No user's field has this name. */
const FIELD = '__metadata_of_shard';

/** What comes of the shard's own search; the router has nothing of it but what it is told. */
const OF_SEARCHES = ['textScore', 'geoNearDistance', 'geoNearPoint'] as const;

type Carried = (typeof OF_SEARCHES)[number] | 'sortKey';

/** Which of it the router's stages ask for. @param isSorted the shards sort: then they know sort keys, too */
export function metadataAskedBy(stages: readonly Buffer[], isSorted: boolean): readonly Carried[] {
  const names = new Set<string>();
  for (const stage of stages) collectMetadata(stage, names);
  const known: readonly Carried[] = isSorted ? [...OF_SEARCHES, 'sortKey'] : OF_SEARCHES;
  return known.filter((name) => names.has(name));
}

/** The last stage of the shards' part. @throws nothing; a shard refuses what its search does not know, as one server does */
export function carrying(names: readonly Carried[]): Buffer {
  const values = new DocumentBuilder();
  for (const name of names) values.appendDocument(name, documentOf({ $meta: stringValue(name) }));
  const field = new DocumentBuilder().appendDocument(FIELD, values.finish());
  return new DocumentBuilder().appendDocument('$addFields', field.finish()).finish();
}

/** The document as it would be on one server, metadata and all. */
export function unpacked(document: Buffer): Buffer {
  const packed = getField(document, FIELD);
  if (packed?.type !== BsonType.object) return document;
  const values = packed.asDocument();
  const metadata: Partial<Record<Carried, RawValue>> = {};
  for (const name of [...OF_SEARCHES, 'sortKey'] as const) {
    const value = getField(values, name);
    if (value !== undefined) metadata[name] = value;
  }
  return withMetadata(unsetField(document, FIELD), metadata);
}
