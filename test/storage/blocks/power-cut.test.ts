import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { SeededRandom } from '../../../common/random.ts';
import type { BlockStore, CheckpointWriter } from '../../../storage/blocks/contract.ts';
import type { Place } from '../../../storage/blocks/place.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import type { Base } from '../../../storage/format/base.ts';
import {
  append,
  assertRecords,
  begin,
  createStore,
  documentOf,
  expectPlace,
  ident,
  openStore,
  recordId,
} from './store-fixture.ts';

/** What a reader of one base must find: places by record, and the version in them. */
interface Expected {
  readonly base: Base;
  readonly places: ReadonlyMap<number, Place>;
  readonly versions: ReadonlyMap<number, number>;
}

const COLLECTION = 30;

/** Works on a store as the engine does; `committed` is what the index store would hold. */
class Story {
  committed: Expected;
  /** The base before, which must stay whole, too. */
  previous: Expected | undefined;
  store: BlockStore;
  private readonly random: SeededRandom;

  constructor(store: BlockStore, seed: number) {
    this.store = store;
    this.random = new SeededRandom(seed);
    this.committed = { base: store.base, places: new Map(), versions: new Map() };
  }

  /** One checkpoint with random inserts, updates and deletes. */
  async step(): Promise<void> {
    const { store } = this;
    const writer = await begin(store, this.committed.base.commitNumber + 1);
    try {
      await this.fill(writer);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    await store.recordCheckpoint(this.committed.base);
    store.reclaim(this.committed.base.checkpoint);
  }

  private async fill(writer: CheckpointWriter): Promise<void> {
    const { random } = this;
    const places = new Map(this.committed.places);
    const versions = new Map(this.committed.versions);
    const count = 1 + random.below(30);
    const touched = new Set(Array.from({ length: count }, () => 1 + random.below(60)));
    for (const record of [...touched].sort((a, b) => a - b)) {
      const before = places.get(record);
      if (before !== undefined) writer.supersede(ident(COLLECTION), before);
      if (before !== undefined && random.below(3) === 0) {
        places.delete(record);
        writer.appendTombstone(ident(COLLECTION), recordId(record));
        continue;
      }
      const version = (versions.get(record) ?? 0) + 1;
      const bytes = 20 + random.below(random.below(8) === 0 ? 90_000 : 4000);
      const document = documentOf(COLLECTION, record, bytes, version);
      append(writer, COLLECTION, record, document, places);
      versions.set(record, version);
    }
    const { places: before } = this.committed;
    await writer.clean(
      {
        isLive: (_collection, record, place) =>
          !touched.has(record) && isDeepStrictEqual(before.get(record), place),
        moving: (_collection, record) => {
          expectPlace(writer, COLLECTION, record, places);
          return writer.commitNumber;
        },
      },
      200_000,
    );
    const base = await writer.finish();
    // Here the index store commits.
    this.previous = this.committed;
    this.committed = { base, places, versions };
  }
}

async function assertReadable(store: BlockStore, expected: Expected): Promise<void> {
  for (const [record, place] of expected.places) {
    await assertRecords(
      store,
      COLLECTION,
      new Map([[record, place]]),
      expected.versions.get(record),
    );
  }
}

describe('a failing device call in the block store', () => {
  it('fails one checkpoint, whichever call it is, and harms nothing', async () => {
    let passed = false;
    for (let failing = 1; !passed; failing += 1) {
      const volume = new SimulatedVolume({ seed: failing });
      const story = new Story(await createStore(volume, { cacheBytes: 0 }), 7);
      await story.step();
      volume.plan({ kind: 'error', atStep: failing, errno: failing % 2 === 0 ? 'EIO' : 'ENOSPC' });
      passed = true;
      // The call may be a read: that one fails, the next one does not.
      const again = async (reading: () => Promise<void>): Promise<void> => {
        await reading().catch(() => {
          passed = false;
          return reading();
        });
      };
      for (let round = 0; round < 4; round += 1) {
        try {
          await story.step();
        } catch {
          passed = false;
          // As the engine does when the index store committed, but the superblock could not be written.
          if (story.committed.base.checkpoint > story.store.base.checkpoint) {
            await story.store.recordCheckpoint(story.committed.base);
          }
        }
        await again(() => assertReadable(story.store, story.committed));
      }
      await story.store.close();
      await again(async () => {
        const reopened = await openStore(volume, story.committed.base, { cacheBytes: 0 });
        await assertReadable(reopened, story.committed);
        await reopened.close();
      });
      assert.ok(failing < 500);
    }
  });
});

describe('power cuts in the block store', () => {
  it('leave the committed base and the one before it whole, at any step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.integer({ min: 1, max: 60 }), async (seed, cutAt) => {
        const volume = new SimulatedVolume({ seed });
        const story = new Story(await createStore(volume, { cacheBytes: 0 }), seed);
        for (let life = 0; life < 3; life += 1) {
          volume.plan({ kind: 'powerCut', atStep: cutAt + life * 7 });
          try {
            for (let round = 0; round < 8; round += 1) await story.step();
          } catch (error) {
            assert.ok(error instanceof Error && error.name === 'DeviceError', String(error));
          }
          volume.powerCut();
          story.store = await openStore(volume, story.committed.base, { cacheBytes: 0 });
          await assertReadable(story.store, story.committed);
          if (story.previous !== undefined) await assertReadable(story.store, story.previous);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('leave one good superblock, whichever write they hit', async () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const volume = new SimulatedVolume({ seed });
      const story = new Story(await createStore(volume), seed);
      await story.step();
      // begin writes one superblock, later each checkpoint one.
      volume.plan({ kind: 'powerCut', atStep: 1 + (seed % 12) });
      await assert.rejects(async () => {
        for (let round = 0; round < 20; round += 1) await story.step();
      });
      const again = await openStore(volume, story.committed.base);
      assert.equal(again.base.checkpoint, story.committed.base.checkpoint);
      await assertReadable(again, story.committed);
    }
  });

  it('during creation leave nothing that passes for a store, or an empty one', async () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const volume = new SimulatedVolume({ seed });
      volume.plan({ kind: 'powerCut', atStep: 1 + (seed % 5) });
      await createStore(volume).catch(() => undefined);
      volume.powerCut();
      const outcome = await openStore(volume).then(
        (store) => store.base.checkpoint,
        (error: Error) => error.name,
      );
      assert.ok(outcome === 0 || outcome === 'CorruptionError', String(outcome));
    }
  });
});
