import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'mocha';
import { documentOf, encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { ManualClock, systemClock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { uninterruptible, type Interruption } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import { openBlockStore } from '../../../storage/blocks/block-store.ts';
import type { ScrubFinding, ScrubOptions, ScrubResult } from '../../../storage/contract.ts';
import { SimulatedVolume } from '../../../storage/device/simulated-volume.ts';
import { claimedPageBytes, peekPage } from '../../../storage/format/page.ts';
import { filesOf, openEngine, type RecordId, type StorageEngine } from '../../../storage/index.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { MemoryIndexDisk, openMemoryIndexStore } from '../../../storage/indexes/memory-store.ts';
import { A_INDEX, createCollection, insert, remove } from '../engine/fixture.ts';

const TEXT = 'x'.repeat(200);
const DOCUMENTS = 2000;

interface Store {
  readonly volume: SimulatedVolume;
  readonly disk: MemoryIndexDisk;
}

function open({ volume, disk }: Store, clock = systemClock): Promise<StorageEngine> {
  return openEngine({
    files: filesOf(volume, disk),
    clock,
    random: new SeededRandom(1),
    checkpointIntervalMs: 0,
    cacheBytes: 1024 * 1024,
  });
}

async function makeStore(): Promise<Store> {
  const store = { volume: new SimulatedVolume({ seed: 1 }), disk: new MemoryIndexDisk() };
  const engine = await open(store);
  const collection = createCollection(engine, 'test.a', A_INDEX);
  for (let id = 1; id <= DOCUMENTS; id += 1) {
    insert(engine, collection, documentOf({ _id: id, a: id, t: TEXT }));
  }
  await engine.close();
  return store;
}

async function scrub(
  engine: StorageEngine,
  options: Partial<ScrubOptions> = {},
): Promise<{ result: ScrubResult; findings: ScrubFinding[] }> {
  const findings: ScrubFinding[] = [];
  const result = await engine.scrub({
    bytesPerSecond: () => 1e12,
    interruption: uninterruptible,
    onFinding: (finding) => findings.push(finding),
    onProgress: () => {},
    ...options,
  });
  assert.equal(result.errors, findings.length);
  return { result, findings };
}

/** Sectors where a page of documents begins. */
function recordPages({ volume }: Store): number[] {
  const found: number[] = [];
  for (let sector = 256; sector < 1024; sector += 1) {
    const bytes = volume.peek('blocks.flint', sector);
    if (claimedPageBytes(bytes) === 0) continue;
    const { address, collection } = peekPage(bytes);
    if (address === sector && collection >= 16) found.push(sector);
  }
  return found;
}

/** From the device of the block store, since the start. */
function bytesRead(engine: StorageEngine): number {
  const text = JSON.stringify(engine.statistics()['blocks']);
  const found = /"READ":\{[^}]*?"bytes":(\d+)/.exec(text)?.[1];
  assert.ok(found !== undefined, text);
  return Number(found);
}

describe('The scrub', () => {
  it('reads every page, record and index entry of a sound store once, and finds nothing', async () => {
    const engine = await open(await makeStore());
    const { result, findings } = await scrub(engine);
    assert.deepEqual(findings, []);
    assert.equal(result.records, DOCUMENTS);
    assert.equal(result.entries, 2 * DOCUMENTS);
    assert.ok(result.pages > 10);
    await engine.close();
  });

  it('finds a rotten page on the disk although the cache has it whole', async () => {
    const store = await makeStore();
    const engine = await open(store);
    const view = engine.snapshot();
    const cursor = view.scanRecords(view.collection('test.a')!);
    while (await cursor.next());
    cursor.close();
    view.close();
    const [sector] = recordPages(store);
    store.volume.rot('blocks.flint', sector, 8 * 300);
    const { findings } = await scrub(engine);
    const [finding] = findings.filter(({ part }) => part === 'page');
    assert.match(
      finding.message,
      new RegExp(`blocks\\.flint, offset ${sector * 4096}: .*checksum`),
    );
    assert.equal(finding.namespace, 'test.a');
    assert.ok(finding.recordIds!.length > 10);
    await engine.close();
  });

  it('finds a lost and a misdirected write', async () => {
    for (const kind of ['lostWrite', 'misdirectedWrite'] as const) {
      const store = await makeStore();
      const [first, second] = recordPages(store);
      const bytes = Array.from({ length: 8 }, (_, index) =>
        kind === 'lostWrite'
          ? Buffer.alloc(4096)
          : store.volume.peek('blocks.flint', second + index),
      );
      store.volume.poke('blocks.flint', first, Buffer.concat(bytes));
      const engine = await open(store);
      const { findings } = await scrub(engine);
      assert.match(findings[0].message, new RegExp(`\\(${kind}\\)`));
      await engine.close();
    }
  });

  it('finds entries that are missing, of no record, and of another value', async () => {
    const { volume, disk } = await makeStore();
    const engine = await open({ volume, disk });
    const view = engine.snapshot();
    const { ident } = view.collection('test.a')!.indexes[1];
    view.close();
    await engine.close();
    const blocks = await openBlockStore({ volume, clock: systemClock, cacheBytes: 1024 * 1024 });
    const storeId = Buffer.from(blocks.storeId, 'hex');
    await blocks.close();
    const index = await openMemoryIndexStore({ disk, storeId, create: false });
    const changes = new IndexChanges();
    const keyOf = (value: number): Buffer => encodeIndexKey([int32Value(value)], [1]).key;
    const nothing = Buffer.alloc(0);
    changes.deleteIndexEntry(ident, keyOf(700), 700 as RecordId);
    changes.putIndexEntry(ident, keyOf(5), 99_999 as RecordId, nothing);
    changes.putIndexEntry(ident, keyOf(77_777), 9 as RecordId, nothing);
    await index.commit(changes, index.stamp);
    await index.close();
    const again = await open({ volume, disk });
    const { findings } = await scrub(again);
    const messages = findings.map(({ message }) => message.replace(/: [0-9a-f]+$/, ''));
    assert.deepEqual(messages, [
      'index a_1: the entry of record 700 is missing',
      'index a_1: an entry of record 99999 that it should not have',
      'index a_1: an entry of record 9 that it should not have',
    ]);
    await again.close();
  });

  it('finds nothing wrong while documents come and go, and checkpoints are taken', async () => {
    const engine = await open(await makeStore());
    const view = engine.snapshot();
    const collection = view.collection('test.a')!;
    view.close();
    let isScrubbing = true;
    const writing = (async () => {
      for (let round = 0; isScrubbing; round += 1) {
        const { recordId } = insert(engine, collection, documentOf({ _id: `n${round}`, a: round }));
        if (round % 3 === 0) await remove(engine, collection, recordId);
        if (round < DOCUMENTS) await remove(engine, collection, (round + 1) as RecordId);
        if (round % 40 === 0) await engine.checkpoint();
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let pass = 0; pass < 3; pass += 1) {
      const { findings } = await scrub(engine);
      assert.deepEqual(findings, []);
    }
    isScrubbing = false;
    await writing;
    await engine.close();
  });

  it('reads no faster than its rate, which may change while it runs', async () => {
    const store = await makeStore();
    const clock = new ManualClock();
    const engine = await open(store, clock);
    let rate = 100_000;
    const startMs = clock.monotonicMs();
    let ended = false;
    const scrubbing = scrub(engine, { bytesPerSecond: () => rate }).finally(() => {
      ended = true;
    });
    while (!ended) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(5);
    }
    const { result } = await scrubbing;
    const slowMs = clock.monotonicMs() - startMs;
    assert.ok(slowMs > (result.bytes / rate) * 1000 * 0.8, `${slowMs} ms`);
    rate = 1e9;
    const { result: again } = await scrub(engine, { bytesPerSecond: () => rate });
    assert.equal(again.pages, result.pages);
    await engine.close();
  });

  it('counts against its rate all that it reads, also pages for the entries of an index in another order', async () => {
    const store = { volume: new SimulatedVolume({ seed: 1 }), disk: new MemoryIndexDisk() };
    const options = {
      files: filesOf(store.volume, store.disk),
      checkpointIntervalMs: 0,
      cacheBytes: 32 * 1024,
      compression: 'none' as const,
    };
    const engine = await openEngine(options);
    const collection = createCollection(engine, 'test.a', A_INDEX);
    for (let id = 1; id <= DOCUMENTS; id += 1) {
      insert(engine, collection, documentOf({ _id: id, a: (id * 7919) % DOCUMENTS, t: TEXT }));
    }
    await engine.checkpoint();
    const before = bytesRead(engine);
    const { result } = await scrub(engine);
    const read = bytesRead(engine) - before;
    assert.ok(read > 2 * DOCUMENTS * TEXT.length, `${read} bytes read`);
    assert.ok(result.bytes >= read, `${result.bytes} bytes counted of ${read}`);
    await engine.close();
  });

  it('lets go of its base every second or two, however large the documents are', async () => {
    const store = { volume: new SimulatedVolume({ seed: 1 }), disk: new MemoryIndexDisk() };
    const clock = new ManualClock();
    const engine = await open(store, clock);
    const collection = createCollection(engine, 'test.a', A_INDEX);
    const text = createHash('shake256', { outputLength: 100_000 }).digest('hex');
    for (let id = 1; id <= 40; id += 1) {
      insert(engine, collection, documentOf({ _id: id, a: 40 - id, t: text }));
    }
    await engine.checkpoint();
    let lastMs = clock.monotonicMs();
    let longestMs = 0;
    let ended = false;
    const scrubbing = scrub(engine, {
      bytesPerSecond: () => 500_000,
      onProgress() {
        longestMs = Math.max(longestMs, clock.monotonicMs() - lastMs);
        lastMs = clock.monotonicMs();
      },
    }).finally(() => {
      ended = true;
    });
    while (!ended) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20);
    }
    const { result, findings } = await scrubbing;
    assert.deepEqual(findings, []);
    assert.equal(result.records, 40);
    assert.equal(result.pages, 40);
    assert.equal(result.entries, 80);
    assert.ok(longestMs < 5000, `${longestMs} ms`);
    await engine.close();
  });

  it('ends when it is interrupted, also while it waits', async () => {
    const engine = await open(await makeStore());
    let isInterrupted = false;
    const interruption: Interruption = {
      ...uninterruptible,
      throwIfInterrupted() {
        if (isInterrupted) throw new CommandError('Interrupted', 'enough');
      },
    };
    const scrubbing = scrub(engine, { bytesPerSecond: () => 1000, interruption });
    await new Promise((resolve) => setTimeout(resolve, 50));
    isInterrupted = true;
    await assert.rejects(scrubbing, { code: 11_601 });
    await engine.close();
  });
});
