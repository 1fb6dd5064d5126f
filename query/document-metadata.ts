/**
 * What a plan knows of a document besides its bytes: text score, distance, sort key. It travels with the Buffer, through stages that
 * know nothing of it.
 *
 * Owns: the one table from documents to their metadata.
 * Promises: a document that storage hands out is never marked itself, as other queries hold the same Buffer: who gives a document
 * metadata gives it a Buffer of its own over the same bytes.
 */
import { BsonType, DocumentBuilder, documentValue, fieldsOf, RawValue } from '../bson/index.ts';
import type { DocumentMetadata, MetadataName } from './projection/projection.ts';

const METADATA = new WeakMap<Buffer, DocumentMetadata>();

/** The document with metadata, in place of what it had of these kinds. */
export function withMetadata(document: Buffer, metadata: DocumentMetadata): Buffer {
  const marked = document.subarray(0);
  METADATA.set(marked, { ...METADATA.get(document), ...metadata });
  return marked;
}

export function metadataOf(document: Buffer): DocumentMetadata | undefined {
  return METADATA.get(document);
}

/** One of them as a value; undefined when the document has none. */
export function metadataValueOf(document: Buffer, name: MetadataName): RawValue | undefined {
  const value = METADATA.get(document)?.[name];
  return Buffer.isBuffer(value) ? documentValue(value) : value;
}

/** Gives a document that was made from another one its metadata. @returns `to`, or a Buffer of its own over the same bytes. */
export function carryMetadata(from: Buffer, to: Buffer): Buffer {
  if (from === to) return to;
  const metadata = METADATA.get(from);
  if (metadata === undefined) return to;
  const marked = to.subarray(0);
  METADATA.set(marked, metadata);
  return marked;
}

/** A document's metadata as bytes, for who writes the document to a file; undefined when it has none. */
export function packMetadata(document: Buffer): Buffer | undefined {
  const metadata = METADATA.get(document);
  if (metadata === undefined) return undefined;
  const out = new DocumentBuilder();
  for (const [name, value] of Object.entries(metadata)) {
    const packed: unknown = value;
    if (Buffer.isBuffer(packed)) out.append(name, documentValue(packed));
    else if (packed instanceof RawValue) out.append(name, packed);
  }
  return out.finish();
}

/** @param packed of packMetadata. */
export function unpackMetadata(document: Buffer, packed: Buffer): Buffer {
  const metadata: Record<string, RawValue | Buffer> = {};
  for (const [name, value] of fieldsOf(packed)) {
    metadata[name] =
      name === 'indexKey' && value.type === BsonType.object ? value.asDocument() : value;
  }
  return withMetadata(document, metadata);
}
