/** A block store over a volume of the test's choice, and documents to put into it. */
import assert from 'node:assert/strict';
import { systemClock } from '../../../common/clock.ts';
import { CorruptionError, type CorruptionKind } from '../../../common/errors.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  createBlockStore,
  openBlockStore,
  type BlockStoreOptions,
  type CreateBlockStoreOptions,
} from '../../../storage/blocks/block-store.ts';
import type {
  BlockStore,
  CheckpointRecords,
  CheckpointWriter,
} from '../../../storage/blocks/contract.ts';
import type { CommittedPlace, Place } from '../../../storage/blocks/place.ts';
import type { CommitNumber, Ident, PageCompression, RecordId } from '../../../storage/contract.ts';
import type { Volume } from '../../../storage/device/contract.ts';
import type { Base } from '../../../storage/format/base.ts';

export const STORE_ID = '000102030405060708090a0b0c0d0e0f';

export function storeOptions(
  volume: Volume,
  options: Partial<CreateBlockStoreOptions> = {},
): CreateBlockStoreOptions {
  return {
    volume,
    clock: systemClock,
    random: new SeededRandom(1),
    cacheBytes: 1024 * 1024,
    storeId: STORE_ID,
    extentBytes: 64 * 1024,
    pageBytes: 16 * 1024,
    ...options,
  };
}

export function createStore(
  volume: Volume,
  options: Partial<CreateBlockStoreOptions> = {},
): Promise<BlockStore> {
  return createBlockStore(storeOptions(volume, options));
}

export function openStore(
  volume: Volume,
  base?: Base,
  options: Partial<BlockStoreOptions> = {},
): Promise<BlockStore> {
  return openBlockStore({ ...storeOptions(volume), ...options }, base);
}

export const ident = (number: number): Ident => number as Ident;
export const recordId = (number: number): RecordId => number as RecordId;
export const commit = (number: number): CommitNumber => number as CommitNumber;

/** A document's worth of bytes that tell collection, record and version. At least 12. */
export function documentOf(collection: number, record: number, bytes: number, version = 0): Buffer {
  const document = Buffer.alloc(bytes, (collection * 31 + record * 7 + version) % 251);
  document.writeInt32LE(bytes, 0);
  document.writeInt32LE(record, 4);
  document.writeInt32LE(version, 8);
  return document;
}

/** Hears where records lie, and notes it in the map that waits for each. */
class Placements implements CheckpointRecords {
  private readonly compression: PageCompression;
  private readonly waiting = new Map<string, Map<number, Place>>();

  constructor(compression: PageCompression) {
    this.compression = compression;
  }

  expect(collection: number, record: number, places: Map<number, Place>): void {
    this.waiting.set(`${collection}:${record}`, places);
  }

  compressionOf(): PageCompression {
    return this.compression;
  }

  placed(collection: Ident, record: RecordId, placed: CommittedPlace): void {
    const { commitNumber: _, ...place } = placed;
    this.waiting.get(`${collection}:${record}`)?.set(record, place);
  }
}

const PLACEMENTS = new WeakMap<CheckpointWriter, Placements>();

/** Begins a checkpoint whose places append() and expectPlace() note. */
export async function begin(
  store: BlockStore,
  commitNumber = store.base.commitNumber + 1,
  compression: PageCompression = 'none',
): Promise<CheckpointWriter> {
  const placements = new Placements(compression);
  const writer = await store.beginCheckpoint(commit(commitNumber), placements);
  PLACEMENTS.set(writer, placements);
  return writer;
}

/** Where the record comes to lie will stand in `places` by the end of the checkpoint. */
export function expectPlace(
  writer: CheckpointWriter,
  collection: number,
  record: number,
  places: Map<number, Place>,
): void {
  PLACEMENTS.get(writer)?.expect(collection, record, places);
}

/** Appends a document; its place will stand in `places` by the end of the checkpoint. */
export function append(
  writer: CheckpointWriter,
  collection: number,
  record: number,
  document: Buffer,
  places: Map<number, Place> = new Map(),
): void {
  expectPlace(writer, collection, record, places);
  writer.append(ident(collection), recordId(record), document, writer.commitNumber);
}

/** Takes a whole checkpoint: begin, `write`, finish, record, reclaim with no reader. */
export async function checkpoint(
  store: BlockStore,
  write: (writer: CheckpointWriter) => void = () => {},
  compression: PageCompression = 'none',
): Promise<Base> {
  const writer = await begin(store, undefined, compression);
  write(writer);
  const base = await writer.finish();
  await store.recordCheckpoint(base);
  store.reclaim(store.base.checkpoint);
  return base;
}

/** Appends records 1..count of a collection. @returns their places, by the end of the checkpoint */
export function appendMany(
  writer: CheckpointWriter,
  collection: number,
  options: { count: number; bytes: number; version?: number; first?: number },
): Map<number, Place> {
  const places = new Map<number, Place>();
  const first = options.first ?? 1;
  for (let record = first; record < first + options.count; record += 1) {
    const document = documentOf(collection, record, options.bytes, options.version);
    append(writer, collection, record, document, places);
  }
  return places;
}

/** Checks that all these records read back. */
export async function assertRecords(
  store: BlockStore,
  collection: number,
  places: ReadonlyMap<number, Place>,
  version = 0,
): Promise<void> {
  for (const [record, place] of places) {
    const document = await store.record(place, recordId(record));
    assert.deepEqual(document, documentOf(collection, record, place.bytes, version));
  }
}

export async function assertCorrupt(
  work: () => unknown,
  kind: CorruptionKind,
  part?: string,
): Promise<void> {
  await assert.rejects(
    async () => {
      await work();
    },
    (error) => {
      assert.ok(error instanceof CorruptionError, String(error));
      assert.equal(error.kind, kind, error.message);
      if (part !== undefined) assert.equal(error.part, part);
      return true;
    },
  );
}
