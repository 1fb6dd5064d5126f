/** A machine whose index store is damaged between two lives of the engine, and whose power goes. */
import { systemClock } from '../../../common/clock.ts';
import { FailPoints } from '../../../common/failpoints.ts';
import { SeededRandom } from '../../../common/random.ts';
import { openBlockStore } from '../../../storage/blocks/block-store.ts';
import {
  catalogKey,
  decodeCatalogRecord,
  encodeCatalogRecord,
  type CatalogRecord,
} from '../../../storage/catalog/catalog-record.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { filesOf, openEngine, type Ident, type StorageEngine } from '../../../storage/index.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import type { IndexSnapshot } from '../../../storage/indexes/contract.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';

export class Machine {
  readonly volume = new SimulatedVolume({ seed: 3 });
  readonly disk = new MemoryIndexDisk();
  readonly failPoints = new FailPoints(new SeededRandom(1));

  open(): Promise<StorageEngine> {
    return openEngine({
      files: filesOf(this.volume, this.disk),
      random: new SeededRandom(5),
      failPoints: this.failPoints,
      checkpointIntervalMs: 0,
      extentBytes: 128 * 1024,
    });
  }

  /** Ends the life of an engine as a crash would. */
  async crash(engine: StorageEngine): Promise<void> {
    this.volume.powerCut();
    this.disk.powerCut(new SeededRandom(1));
    await engine.close().catch(() => {});
  }

  /** Changes the index store of an engine that was closed, behind its back. */
  async plant(damage: (changes: IndexChanges, snapshot: IndexSnapshot) => void): Promise<void> {
    const { volume, disk } = this;
    const blocks = await openBlockStore({ volume, clock: systemClock, cacheBytes: 1024 * 1024 });
    const storeId = Buffer.from(blocks.storeId, 'hex');
    await blocks.close();
    const store = await openMemoryIndexStore({ disk, storeId, create: false });
    const changes = new IndexChanges();
    const snapshot = store.beginRead();
    damage(changes, snapshot);
    snapshot.release();
    await store.commit(changes, store.stamp);
    await store.close();
  }

  /** Changes what the catalog says of a collection. */
  plantInCatalog(ident: Ident, change: (record: CatalogRecord) => CatalogRecord): Promise<void> {
    return this.plant((changes, snapshot) => {
      const key = catalogKey(ident);
      const record = decodeCatalogRecord(key, snapshot.get(key)!);
      changes.put(key, encodeCatalogRecord(change(record)));
    });
  }
}
