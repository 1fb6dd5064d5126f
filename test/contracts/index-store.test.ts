import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { openLmdbIndexStore } from '../../storage/indexes/lmdb-store.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../storage/indexes/memory-store.ts';
import { describeIndexStore, STORE_ID, type IndexStoreUnderTest } from './index-store.ts';

async function lmdb(): Promise<IndexStoreUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'flint-index-store-'));
  const path = join(directory, 'index.lmdb');
  return {
    open: ({ create, storeId = STORE_ID }) =>
      openLmdbIndexStore({ path, storeId, create, clock: systemClock }),
    lose: () => rm(path),
    dispose: () => rm(directory, { recursive: true }),
  };
}

async function memory(): Promise<IndexStoreUnderTest> {
  const disk = new MemoryIndexDisk();
  return {
    open: ({ create, storeId = STORE_ID }) => openMemoryIndexStore({ disk, storeId, create }),
    lose: async () => disk.lose(),
    dispose: async () => {},
  };
}

describe('index store contract', () => {
  describe('LMDB', () => {
    describeIndexStore(lmdb);
  });
  describe('memory', () => {
    describeIndexStore(memory);
  });
});
