/**
 * Chunks that are much larger than a range and have too few different keys to be split: `jumbo` in their documents.
 *
 * The balancer marks what it could not move, and leaves it where it is until clearJumboFlag; a split or a migration by hand makes new
 * documents without the mark.
 */
import { documentOf, getField, setField, TRUE } from '../../bson/index.ts';
import {
  uuidValue,
  type Chunk,
  type CollectionRouting,
  type KeyText,
  type OperationContext,
} from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import { idOf } from './chunk-documents.ts';
import type { ClusterCatalog } from './cluster-catalog.ts';
import { replaceChunks } from './replace-chunks.ts';

/** @param chunk a document of config.chunks */
export function isJumbo(chunk: Buffer): boolean {
  return getField(chunk, 'jumbo')?.isTruthy() === true;
}

/** Where the collection's marked chunks begin. */
export async function jumboChunks(
  catalog: ClusterCatalog,
  op: OperationContext,
  { entry: { uuid, pattern } }: CollectionRouting,
): Promise<ReadonlySet<KeyText>> {
  const filter = documentOf({ uuid: uuidValue(uuid), jumbo: true });
  const documents = await catalog.read(op, 'config.chunks', filter);
  return new Set(
    documents.flatMap((document) => {
      const min = getField(document, 'min')?.asDocument();
      return min === undefined ? [] : [pattern.boundText(min)];
    }),
  );
}

/** Does nothing when the chunk has other bounds by now. */
export function markJumbo(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
  chunk: Chunk,
): Promise<void> {
  return replaceChunks(
    server,
    op,
    namespace,
    () => ({ min: chunk.minText, max: chunk.maxText }),
    ({ chunks, documents }) => {
      const before = documents[0]?.value;
      const isSame = chunks.length === 1 && chunks[0].maxText === chunk.maxText;
      if (!isSame || before === undefined || isJumbo(before)) return undefined;
      const value = setField(before, 'jumbo', TRUE);
      const details = documentOf({ min: chunk.min, max: chunk.max, shard: chunk.shard });
      return {
        puts: [{ key: { set: 'chunks', id: idOf(before) }, value }],
        entry: { what: 'markJumbo', namespace, details },
      };
    },
  );
}
