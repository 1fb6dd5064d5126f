import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, it } from 'mocha';
import { CATALOG_COLLECTION } from '../../../storage/catalog/catalog-record.ts';
import { PAGE_HEADER, peekPage, claimedPageBytes } from '../../../storage/format/page.ts';
import { openEngine } from '../../../storage/index.ts';
import { makeImage, readAll, repair, type Image } from './store-image.ts';

const SECTOR = 4096;

describe('flint repair of a store with damaged pages', () => {
  let root: string;
  let image: Image;
  let dbpath: string;
  let blocks: Buffer;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'flint-repair-'));
    await mkdir(join(root, 'original'));
    image = await makeImage(join(root, 'original'));
  });

  after(() => rm(root, { recursive: true, force: true }));

  beforeEach(async () => {
    dbpath = join(root, 'damaged');
    await cp(join(root, 'original'), dbpath, { recursive: true });
    blocks = await readFile(join(dbpath, 'blocks.flint'));
  });

  afterEach(() => rm(dbpath, { recursive: true, force: true }));

  /** First bytes of the pages of a collection, the newest last. */
  function pagesOf(collection: number): number[] {
    const found: number[] = [];
    for (let offset = SECTOR; offset < blocks.length; offset += SECTOR) {
      const rest = blocks.subarray(offset);
      if (claimedPageBytes(rest) === 0) continue;
      const page = peekPage(rest);
      if (page.address * SECTOR === offset && page.collection === collection) found.push(offset);
    }
    return found.sort(
      (a, b) => peekPage(blocks.subarray(a)).generation - peekPage(blocks.subarray(b)).generation,
    );
  }

  async function rot(offset: number): Promise<void> {
    blocks[offset + PAGE_HEADER.size + 40] ^= 1;
    await writeFile(join(dbpath, 'blocks.flint'), blocks);
  }

  async function contentsNow(namespace: string): Promise<Map<number, number>> {
    const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
    try {
      return await readAll(engine, namespace);
    } finally {
      await engine.close();
    }
  }

  async function identOf(namespace: string): Promise<number> {
    const copy = join(root, 'copy');
    await cp(dbpath, copy, { recursive: true });
    const engine = await openEngine({ dbpath: copy, checkpointIntervalMs: 0 });
    const view = engine.snapshot();
    const { ident } = view.collection(namespace)!;
    view.close();
    await engine.close();
    await rm(copy, { recursive: true });
    return ident;
  }

  it('loses the documents of the page alone, and names them by file, offset, namespace and record id', async () => {
    const offset = pagesOf(await identOf('test.a'))[0];
    await rot(offset);
    const report = await repair(dbpath);
    const [finding, ...others] = report.lost;
    assert.deepEqual(others, []);
    assert.equal(finding.file, 'blocks.flint');
    assert.equal(finding.kind, 'checksum');
    assert.equal(finding.namespace, 'test.a');
    assert.ok(finding.offset! <= offset && offset < finding.offset! + finding.length!);
    assert.ok(finding.recordIds!.length > 10);
    const found = await contentsNow('test.a');
    assert.ok(found.size > 200);
    for (const [id, value] of found) assert.equal(image.all.get('test.a')!.get(id), value);
    assert.deepEqual(await contentsNow('test.b'), image.all.get('test.b'));
  });

  const ROTTEN_FIELDS = [
    ['generation', PAGE_HEADER.generation, 1],
    ['length', PAGE_HEADER.usedBytes + 2, 0x20],
  ] as const;
  for (const [field, at, bit] of ROTTEN_FIELDS) {
    for (const index of ['kept', 'lost'] as const) {
      it(`tells of a large document whose page has a rotten ${field}, as a dead page's, with the index store ${index}`, async () => {
        const [offset] = pagesOf(await identOf('test.b')).filter(
          (page) => claimedPageBytes(blocks.subarray(page)) > 1_000_000,
        );
        blocks[offset + at] ^= bit;
        await writeFile(join(dbpath, 'blocks.flint'), blocks);
        if (index === 'lost') await rm(join(dbpath, 'index.lmdb'));
        const report = await repair(dbpath);
        const finding = report.lost.find((each) => each.offset === offset);
        assert.equal(finding?.kind, 'checksum', JSON.stringify(report.lost));
        if (index === 'kept') assert.deepEqual(finding.recordIds?.length, 1);
        assert.equal((await contentsNow('test.b')).has(40), false);
        assert.deepEqual(await contentsNow('test.a'), image.all.get('test.a'));
      });
    }
  }

  it('says so when, with the page of an update, an older version came back', async () => {
    const pages = pagesOf(await identOf('test.a'));
    await rot(pages.at(-1)!);
    await rm(join(dbpath, 'index.lmdb'));
    const report = await repair(dbpath);
    const kinds = report.lost.map(({ kind }) => kind);
    assert.ok(kinds.includes('checksum'), kinds.join());
    assert.ok(kinds.includes('lostWrite'), kinds.join());
    assert.match(report.lost.at(-1)!.message, /older versions/);
  });

  it('takes the catalog from the old index store when its page is damaged', async () => {
    for (const offset of pagesOf(CATALOG_COLLECTION)) await rot(offset);
    const report = await repair(dbpath);
    assert.ok(report.lost.length > 0);
    assert.deepEqual(
      report.collections.map(({ namespace, indexes }) => [namespace, indexes]),
      [
        ['test.a', 2],
        ['test.b', 1],
      ],
    );
    assert.deepEqual(await contentsNow('test.b'), image.all.get('test.b'));
    const second = await repair(dbpath);
    assert.deepEqual(second.collections.length, 2);
  });

  it('brings collections back under another name when nobody can tell theirs', async () => {
    const ident = await identOf('test.b');
    for (const offset of pagesOf(CATALOG_COLLECTION)) await rot(offset);
    await rm(join(dbpath, 'index.lmdb'));
    const report = await repair(dbpath);
    const names = report.collections.map(({ namespace }) => namespace);
    assert.ok(names.includes(`local.orphan.collection-${ident}`), names.join());
    const found = await contentsNow(`local.orphan.collection-${ident}`);
    assert.deepEqual(found, image.base.get('test.b'));
  });
});
