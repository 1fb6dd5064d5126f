/**
 * Chunks as documents of config.chunks.
 */
import { ArrayBuilder, arrayValue, documentOf, getField, type RawValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { type Expectation } from '../../server/index.ts';
import {
  placementValue,
  uuidValue,
  type OperationContext,
  type Placement,
} from '../../server/cluster.ts';
import type { ClusterCatalog } from './cluster-catalog.ts';

export interface NewChunk extends Placement {
  readonly uuid: string;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly shard: string;
  /** Since when the shard has it. */
  readonly since: RawValue;
  /** Who had it before and now, newest first; absent: only this shard. */
  readonly history?: Buffer;
}

/** A chunk's document under a new or an old id. */
export function chunkPut(id: RawValue, chunk: NewChunk): Expectation {
  const value = documentOf({
    _id: id,
    uuid: uuidValue(chunk.uuid),
    min: chunk.min,
    max: chunk.max,
    shard: chunk.shard,
    lastmod: placementValue(chunk),
    onCurrentShardSince: chunk.since,
    history: arrayValue(chunk.history ?? historyOf(chunk.since, chunk.shard)),
  });
  return { key: { set: 'chunks', id }, value };
}

/** @param before the history so far, newest first: it keeps that many more entries */
export function historyOf(since: RawValue, shard: string, before?: Buffer): Buffer {
  const history = new ArrayBuilder();
  history.pushDocument(documentOf({ validAfter: since, shard }));
  const [latest] = before === undefined ? [] : documentsOfArray(before);
  if (latest !== undefined) history.pushDocument(latest);
  return history.finish();
}

/** The documents of chunks that begin at these bounds. */
export async function chunkDocuments(
  catalog: ClusterCatalog,
  op: OperationContext,
  uuid: string,
  mins: readonly Buffer[],
): Promise<Expectation[]> {
  const found: Expectation[] = [];
  for (const min of mins) {
    const filter = documentOf({ uuid: uuidValue(uuid), min });
    const [document] = await catalog.read(op, 'config.chunks', filter);
    if (document !== undefined) found.push(expectationOf(document));
  }
  return found;
}

/** Exactly this document of config.chunks. */
export function expectationOf(document: Buffer): Expectation {
  return { key: { set: 'chunks', id: idOf(document) }, value: document };
}

export function idOf(document: Buffer): RawValue {
  const id = getField(document, '_id');
  tassert(id !== undefined, 'config.chunks: a document without _id');
  return id;
}

function documentsOfArray(array: Buffer): Buffer[] {
  const first = getField(array, '0');
  return first === undefined ? [] : [first.asDocument()];
}
