import assert from 'node:assert/strict';
import { allocateAligned, releaseAligned } from '../../../storage/device/aligned-memory.ts';
import { loadCompression } from '../../../storage/format/page-compression.ts';
import {
  PAGE_KIND,
  plainPage,
  recordsOfPage,
  sealPage,
  verifyPage,
} from '../../../storage/format/page.ts';
import {
  pressPages,
  type PressedPage,
  type PressOrder,
} from '../../../storage/blocks/page-press.ts';
import { PressBatch } from '../../../storage/blocks/press-batch.ts';
import { PressThread } from '../../../storage/blocks/press-thread.ts';
import type { PageCompression } from '../../../storage/contract.ts';
import { commit, documentOf, ident, recordId, STORE_ID } from './store-fixture.ts';

const SECTOR = 4096;

const frame = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes);

/** Two pages: 20 documents of 1000 bytes and a tombstone; one document of random bytes. */
function batchOf(compression: PageCompression): PressBatch {
  const batch = new PressBatch();
  batch.beginPage(ident(20), compression);
  for (let id = 1; id <= 20; id += 1) {
    const document = documentOf(20, id, 1000);
    // Every other one as the delta has it, in memory that threads share.
    const shared = Buffer.from(new SharedArrayBuffer(1000));
    document.copy(shared);
    batch.add(recordId(id), id % 2 === 0 ? shared : document, commit(1));
  }
  batch.add(recordId(21), undefined, commit(1));
  batch.beginPage(ident(21), compression);
  batch.add(recordId(1), NOISE, commit(1));
  return batch;
}

/** What no compression shortens. */
const NOISE = Buffer.from(
  Array.from(
    { length: 5000 },
    (_, index) => (Math.imul(index * index + 1, 0x9e3779b1) >>> 9) & 255,
  ),
);

function recordsIn(order: PressOrder, pressed: readonly PressedPage[], page: number) {
  let at = 0;
  for (const { sectors } of pressed.slice(0, page)) at += sectors * SECTOR;
  const { sectors, usedBytes, plainBytes, compression, checksum } = pressed[page];
  const bytes = order.target.subarray(at, at + sectors * SECTOR);
  const identity = { address: 500, generation: 3, storeId: STORE_ID };
  const contents = { usedBytes, plainBytes, compression, kind: PAGE_KIND.records };
  const { recordCount } = order.pages[page];
  sealPage(
    { ...identity, commitNumber: 1, collection: 20, recordCount, ...contents },
    bytes,
    checksum,
  );
  const { header } = verifyPage(bytes, SECTOR, identity);
  return recordsOfPage(plainPage(bytes, header), header);
}

describe('page press', () => {
  before(() => loadCompression('zstd'));

  for (const compression of ['none', 'snappy', 'zstd'] as const) {
    it(`makes pages with ${compression} from which the records come back`, () => {
      const batch = batchOf(compression);
      const order = batch.order(SECTOR, frame);
      const pressed = pressPages(order);
      const records = recordsIn(order, pressed, 0);
      assert.equal(records.length, 21);
      for (let id = 1; id <= 20; id += 1) {
        assert.equal(records[id - 1].recordId, id);
        assert.deepEqual(records[id - 1].document, documentOf(20, id, 1000));
      }
      assert.equal(records[20].document, undefined);
      assert.deepEqual(recordsIn(order, pressed, 1)[0].document, NOISE);
      batch.release();
    });

    it(`keeps the plain page of ${compression} for the cache`, () => {
      const batch = batchOf(compression);
      const [page] = pressPages(batch.order(SECTOR, frame));
      assert.equal(page.plain?.length, page.plainBytes);
      assert.equal(page.plain?.includes(documentOf(20, 7, 1000)), true);
      const [without] = pressPages(batch.order(SECTOR));
      assert.equal(without.plain, undefined);
      batch.release();
    });

    it(`gives the same bytes on a thread as on the caller's, with ${compression}`, async () => {
      const press = new PressThread();
      // More than stays on the caller's thread.
      const batches = Array.from({ length: 2 }, () => {
        const batch = new PressBatch();
        for (let page = 0; page < 60; page += 1) {
          batch.beginPage(ident(20), compression);
          for (let id = 1; id <= 20; id += 1) {
            batch.add(recordId(page * 20 + id), documentOf(20, id + page, 1000), commit(1));
          }
        }
        return batch;
      });
      const here = batches[0].order(SECTOR, frame);
      const there = batches[1].order(SECTOR, frame);
      here.target.fill(0);
      there.target.fill(0);
      const expected = pressPages(here);
      const answer = press.press(there);
      assert.ok(answer instanceof Promise);
      const pressed = await answer;
      assert.deepEqual(
        pressed.map((page) => ({ ...page, plain: undefined })),
        expected.map((page) => ({ ...page, plain: undefined })),
      );
      assert.equal(pressed[7].plain?.subarray(72).equals(expected[7].plain!.subarray(72)), true);
      const used = SECTOR * expected.reduce((sum, { sectors }) => sum + sectors, 0);
      assert.equal(there.target.subarray(0, used).equals(here.target.subarray(0, used)), true);
      for (const batch of batches) batch.release();
      await press.close();
    });
  }

  it('stores a page plain that does not shrink by a sector', () => {
    for (const compression of ['snappy', 'zstd'] as const) {
      const batch = batchOf(compression);
      const [shrinks, noise] = pressPages(batch.order(SECTOR));
      assert.equal(shrinks.compression, compression);
      assert.equal(shrinks.sectors, 1);
      assert.equal(noise.compression, 'none');
      assert.equal(noise.usedBytes, noise.plainBytes);
      batch.release();
    }
  });

  it('fails what a thread owed that ended, and goes on with another', async () => {
    const press = new PressThread();
    const batch = batchOf('none');
    const order = { ...batch.order(SECTOR), target: allocateAligned(SECTOR) };
    // No room for two pages: the order cannot be carried out, the thread can.
    const many = { ...order, pages: [{ ...order.pages[0], documentBytes: 5_000_000 }] };
    await assert.rejects(async () => press.press(many), /pages could not be made/);
    await press.close();
    releaseAligned(order.target);
    batch.release();
  });
});
