/**
 * A collection's routing as the config server has it, read whole or brought up to date.
 *
 * Chunks are read in the order of their versions. What changes while they are read gets a higher version and is read later, so the
 * newest of what overlaps is the truth; a gap means that the read was overtaken, and it is done again.
 * Source: MongoDB's README_routing_info_cache.
 */
import { binaryValue, documentOf, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { collectionFromDocument, type CollectionEntry } from './catalog-entries.ts';
import { ChunkMap } from './chunk-map.ts';
import { chunkFromDocument } from './chunk.ts';
import { placementValue } from './shard-version.ts';

export interface CollectionRouting {
  readonly entry: CollectionEntry;
  readonly chunks: ChunkMap;
}

/** Reads documents of the config server. */
export type ReadMetadata = (
  namespace: string,
  filter: Buffer,
  sort?: Buffer,
) => Promise<readonly Buffer[]>;

const ATTEMPTS = 5;

/**
 * @param known what was read before: then only what is newer is read
 * @returns undefined for a collection that is not sharded
 * @throws CommandError ConflictingOperationInProgress when every attempt was overtaken
 */
export async function readRouting(
  read: ReadMetadata,
  namespace: string,
  known?: CollectionRouting,
): Promise<CollectionRouting | undefined> {
  let before = known;
  for (let attempt = 1; ; attempt += 1) {
    const [document] = await read('config.collections', documentOf({ _id: namespace }));
    if (document === undefined) return undefined;
    const entry = collectionFromDocument(document);
    try {
      return { entry, chunks: await readChunks(read, entry, before) };
    } catch (error) {
      const isOvertaken =
        error instanceof CommandError && error.codeName === 'ConflictingOperationInProgress';
      if (!isOvertaken || attempt === ATTEMPTS) throw error;
      before = undefined;
    }
  }
}

async function readChunks(
  read: ReadMetadata,
  entry: CollectionEntry,
  before: CollectionRouting | undefined,
): Promise<ChunkMap> {
  const isSame =
    before !== undefined &&
    before.entry.uuid === entry.uuid &&
    before.chunks.version.isSameGeneration(entry.generation);
  const base = isSame ? before.chunks : undefined;
  const filter = documentOf({
    uuid: uuidValue(entry.uuid),
    lastmod: base === undefined ? undefined : documentOf({ $gte: placementValue(base.version) }),
  });
  const documents = await read('config.chunks', filter, documentOf({ lastmod: 1 }));
  const chunks = documents.map((document) => chunkFromDocument(document, entry.pattern));
  return base === undefined ? ChunkMap.of(entry.generation, chunks) : base.updated(chunks);
}

/** @param uuid 32 hexadecimal digits */
export function uuidValue(uuid: string): RawValue {
  return binaryValue(Buffer.from(uuid, 'hex'), 4);
}
