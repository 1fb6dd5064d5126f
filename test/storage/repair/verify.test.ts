import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, it } from 'mocha';
import { encodeIndexKey, int32Value } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import type { RecordId } from '../../../storage/contract.ts';
import {
  claimedPageBytes,
  PAGE_HEADER,
  PAGE_KIND,
  peekPage,
} from '../../../storage/format/page.ts';
import { decodeSuperblock } from '../../../storage/format/superblock.ts';
import { openEngine, verifyStore, type VerifyReport } from '../../../storage/index.ts';
import { IndexChanges } from '../../../storage/indexes/changes.ts';
import { openLmdbIndexStore } from '../../../storage/indexes/lmdb-store.ts';
import { hashesOf, makeImage, type Image } from './store-image.ts';

const SECTOR = 4096;

interface Expected {
  readonly kind: string;
  readonly file: string;
  readonly offset?: number;
}

describe('flint verify', () => {
  let root: string;
  let image: Image;
  let dbpath: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'flint-verify-'));
    await mkdir(join(root, 'original'));
    image = await makeImage(join(root, 'original'));
  });

  after(() => rm(root, { recursive: true, force: true }));

  beforeEach(async () => {
    dbpath = join(root, 'damaged');
    await cp(join(root, 'original'), dbpath, { recursive: true });
  });

  afterEach(() => rm(dbpath, { recursive: true, force: true }));

  /** Verifies, and sees that nothing was written. */
  async function verify(): Promise<VerifyReport> {
    const before = await hashesOf(dbpath);
    const report = await verifyStore({
      dbpath,
      clock: systemClock,
      random: systemRandom,
      keyGenerators: () => undefined,
    });
    assert.deepEqual(await hashesOf(dbpath), before);
    assert.equal(report.sound, report.findings.length === 0);
    return report;
  }

  async function assertFinds(expected: readonly Expected[]): Promise<VerifyReport> {
    const report = await verify();
    const found = report.findings.map(({ kind, file, offset }) => ({
      kind,
      file,
      ...(offset === undefined ? {} : { offset }),
    }));
    assert.deepEqual(found, expected);
    return report;
  }

  async function flip(name: string, offset: number): Promise<void> {
    const file = await open(join(dbpath, name), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte[0] ^= 4;
    await file.write(byte, 0, 1, offset);
    await file.close();
  }

  /** First bytes of the pages of records that a reader would meet, in order. */
  async function recordPages(): Promise<{ offset: number; collection: number }[]> {
    const blocks = await readFile(join(dbpath, 'blocks.flint'));
    const found: { offset: number; collection: number }[] = [];
    for (let offset = 0; offset < blocks.length; offset += SECTOR) {
      const rest = blocks.subarray(offset);
      if (claimedPageBytes(rest) === 0) continue;
      const { address, kind, collection } = peekPage(rest);
      if (kind === PAGE_KIND.records && address * SECTOR === offset && collection >= 16) {
        found.push({ offset, collection });
      }
    }
    return found;
  }

  it('finds nothing in a sound store, and counts what is in it', async () => {
    const report = await verify();
    assert.deepEqual(report.findings, []);
    const counted = report.collections.map(({ namespace, records, valid }) => [
      namespace,
      records,
      valid,
    ]);
    assert.deepEqual(counted, [
      ['test.a', image.base.get('test.a')!.size, true],
      ['test.b', image.base.get('test.b')!.size, true],
    ]);
    assert.ok(report.pages > 5);
    assert.ok(report.journal.commits > 50);
  });

  it('refuses a store that is in use', async () => {
    const engine = await openEngine({ dbpath });
    await assert.rejects(
      verifyStore({
        dbpath,
        clock: systemClock,
        random: systemRandom,
        keyGenerators: () => undefined,
      }),
      /already running/,
    );
    await engine.close();
  });

  it('names a rotten page by file and offset, with the records on it', async () => {
    const [{ offset }] = await recordPages();
    await flip('blocks.flint', offset + 200);
    const report = await verify();
    const [finding] = report.findings;
    assert.equal(finding.kind, 'checksum');
    assert.equal(finding.file, 'blocks.flint');
    assert.equal(finding.offset, offset);
    assert.equal(finding.namespace, 'test.a');
    assert.ok(finding.recordIds!.length > 5);
    assert.equal(report.findings.length, 1, JSON.stringify(report.findings));
  });

  it('names the document of a large page whose generation is rotten, as that of a dead one may be', async () => {
    const blocks = await readFile(join(dbpath, 'blocks.flint'));
    const large = (await recordPages()).find(
      ({ offset }) => claimedPageBytes(blocks.subarray(offset)) > 1_000_000,
    );
    await flip('blocks.flint', large!.offset + PAGE_HEADER.generation);
    const report = await verify();
    assert.deepEqual(
      report.findings.map(({ namespace }) => namespace),
      ['test.b'],
    );
    assert.match(report.findings[0].message, /record 41/);
  });

  it('names a lost and a misdirected write', async () => {
    const blocks = await readFile(join(dbpath, 'blocks.flint'));
    const pages = (await recordPages()).filter(
      ({ offset }) => claimedPageBytes(blocks.subarray(offset)) < 40_000,
    );
    const [first, second] = pages;
    blocks.copy(blocks, second.offset, first.offset, first.offset + SECTOR * 8);
    await writeFile(join(dbpath, 'blocks.flint'), blocks);
    const misdirected = await verify();
    assert.ok(misdirected.findings.some(({ kind }) => kind === 'misdirectedWrite'));
    const length = Math.ceil(claimedPageBytes(blocks.subarray(first.offset)) / SECTOR) * SECTOR;
    blocks.fill(0, first.offset, first.offset + length);
    await writeFile(join(dbpath, 'blocks.flint'), blocks);
    const lost = await verify();
    const finding = lost.findings.find(({ kind }) => kind === 'lostWrite');
    assert.equal(finding?.offset, first.offset);
  });

  it('names damaged superblocks', async () => {
    await flip('blocks.flint', 70);
    await assertFinds([{ kind: 'checksum', file: 'blocks.flint', offset: 0 }]);
    await flip('blocks.flint', 512 * 1024 + 70);
    const report = await verify();
    assert.deepEqual(
      report.findings.slice(0, 2).map(({ part, offset }) => [part, offset]),
      [
        ['superblock', 0],
        ['superblock', 512 * 1024],
      ],
    );
  });

  it('names a damaged manifest', async () => {
    const blocks = await readFile(join(dbpath, 'blocks.flint'));
    const copies = [0, 1].map((copy) => decodeSuperblock(blocks.subarray(copy * 512 * 1024), copy));
    const { manifestAddress } = copies.sort((a, b) => b.sequence - a.sequence)[0];
    await flip('blocks.flint', manifestAddress * SECTOR + 99);
    const report = await verify();
    const [finding] = report.findings;
    assert.equal(finding.part, 'manifest');
    assert.equal(finding.offset, manifestAddress * SECTOR);
  });

  it('names a block store that was cut', async () => {
    await truncate(join(dbpath, 'blocks.flint'), 1024 * 1024 + 3 * SECTOR);
    const report = await verify();
    const cut = report.findings.filter(({ file }) => file === 'blocks.flint');
    assert.ok(cut.length > 0);
    assert.match(cut.at(-1)!.message, /backup/);
  });

  it('names an index store that is gone, and one whose entries are rotten', async () => {
    const path = join(dbpath, 'index.lmdb');
    const bytes = await readFile(path);
    for (let at = bytes.indexOf('test.b'); at >= 0; at = bytes.indexOf('test.b', at + 1)) {
      bytes[at] ^= 1;
    }
    await writeFile(path, bytes);
    const rotten = await verify();
    assert.ok(
      rotten.findings.some(({ kind, file }) => kind === 'checksum' && file === 'index.lmdb'),
    );
    await rm(path);
    await assertFinds([{ kind: 'missing', file: 'index.lmdb' }]);
  });

  it('names index entries that are missing, or should not be there', async () => {
    const copy = join(root, 'copy');
    await cp(dbpath, copy, { recursive: true });
    const engine = await openEngine({ dbpath: copy });
    const view = engine.snapshot();
    const { ident } = view.collection('test.a')!.indexes[1];
    view.close();
    await engine.close();
    await rm(copy, { recursive: true });
    const blocks = await readFile(join(dbpath, 'blocks.flint'));
    const storeId = Buffer.from(blocks.subarray(16, 32));
    const store = await openLmdbIndexStore({
      path: join(dbpath, 'index.lmdb'),
      storeId,
      create: false,
      clock: systemClock,
    });
    const [id, value] = [...image.base.get('test.a')!].find(([each]) => each > 100)!;
    const changes = new IndexChanges();
    const keyOf = (a: number): Buffer => encodeIndexKey([int32Value(a)], [1]).key;
    changes.deleteIndexEntry(ident, keyOf(value), (id + 1) as RecordId);
    changes.putIndexEntry(ident, keyOf(77_777), 33 as RecordId, Buffer.alloc(0));
    await store.commit(changes, store.stamp);
    await store.close();
    const report = await verify();
    const messages = report.findings.map(({ message }) => message);
    assert.equal(messages.length, 2, messages.join('\n'));
    assert.match(messages.join('\n'), new RegExp(`a_1: entry is missing: record ${id + 1},`));
    assert.match(messages.join('\n'), /a_1: an entry of record 33 that it should not have/);
    assert.equal(report.collections[0].valid, false);
  });

  it('names damage in the journal by file and offset', async () => {
    const { journal } = await verify();
    const [, name, offset] = /\((\w+)\), offset (\d+)/.exec(journal.tail)!;
    // In the midst of what was flushed.
    const middle = Math.floor(Number(offset) / 2 / SECTOR) * SECTOR;
    await flip(`journal/${name}`, middle + 80);
    const report = await verify();
    const [finding] = report.findings;
    assert.equal(finding.kind, 'checksum');
    assert.equal(finding.file, `journal/${name}`);
    // Where the batch begins that holds the byte.
    assert.ok(finding.offset! <= middle && finding.offset! >= SECTOR);
  });

  it('names a journal that is gone', async () => {
    await rm(join(dbpath, 'journal'), { recursive: true });
    await assertFinds([{ kind: 'missing', file: 'journal' }]);
  });
});
