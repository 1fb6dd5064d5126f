/**
 * Replaces chunks of a collection by others that cover the same keys: split, merge and move are that.
 *
 * Promises: the whole change or nothing, durable; versions grow; of two changes of the same chunk one wins and the other looks again.
 */
import { stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Expectation } from '../../server/index.ts';
import type {
  Chunk,
  CollectionRouting,
  KeyTextRange,
  OperationContext,
} from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import { chunkDocuments } from './chunk-documents.ts';
import type { ChangelogEntry } from './cluster-catalog.ts';

/** The chunks that a change is about, as they are. */
export interface ChunksFound {
  readonly routing: CollectionRouting;
  readonly chunks: readonly Chunk[];
  /** Their documents, in the same order. */
  readonly documents: readonly Expectation[];
}

export interface ChunkChange {
  readonly puts: readonly Expectation[];
  /** Further documents that must be as they were read. */
  readonly expected?: readonly Expectation[];
  readonly entry: ChangelogEntry;
}

const ATTEMPTS = 10;

/**
 * @param rangeOf which chunks: those that overlap it
 * @param plan the change; undefined: everything is already as it should be. It throws what makes the change impossible.
 */
export function replaceChunks(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
  rangeOf: (routing: CollectionRouting) => KeyTextRange,
  plan: (found: ChunksFound) => ChunkChange | undefined | Promise<ChunkChange | undefined>,
): Promise<void> {
  // Not the turn of the namespace itself: who drops it may be waiting for a migration that asks for its commit.
  return server.locks.run(`chunks of ${namespace}`, async () => {
    const { catalog } = server;
    const key = { set: 'collections', id: stringValue(namespace) };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const collection = { key, value: await catalog.topology.get(key) };
      const routing = await catalog.routing(op, namespace);
      const chunks = [...routing.chunks.overlapping(rangeOf(routing))];
      const mins = chunks.map(({ min }) => min);
      const documents = await chunkDocuments(catalog, op, routing.entry.uuid, mins);
      if (documents.length !== chunks.length) continue;
      const change = await plan({ routing, chunks, documents });
      if (change === undefined) return;
      const expected = [collection, ...documents, ...(change.expected ?? [])];
      if (await catalog.change(op, { expected, puts: change.puts }, change.entry)) return;
    }
    throw new CommandError(
      'ConflictingOperationInProgress',
      `The chunks of ${namespace} were changed by others again and again`,
    );
  });
}
