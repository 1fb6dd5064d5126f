import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentOf, encodeIndexKey, getField, stringValue } from '../../../bson/index.ts';
import type { LogLine } from '../../../common/log.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { claimedPageBytes, PAGE_HEADER, peekPage } from '../../../storage/format/page.ts';
import { openEngine, type EngineOptions, type StorageEngine } from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  describe as describeCollection,
  insert,
  withDirectory,
} from '../engine/fixture.ts';

/** Keys of indexes that the version concerns are texts that begin with it. */
const open = (
  dbpath: string,
  version: string,
  concerned: readonly string[],
  options: EngineOptions = {},
): Promise<StorageEngine> =>
  openEngine({
    ...options,
    dbpath,
    checkpointIntervalMs: 0,
    smallBuildRecords: 10,
    keyGenerators: (index) =>
      concerned.includes(index.name)
        ? {
            keysOf: (document) => {
              const value = getField(document, index.fields[0].path);
              const text = stringValue(version + String(value?.asNumber()));
              return { keys: [encodeIndexKey([text], [1])], multikeyPaths: undefined };
            },
          }
        : undefined,
    versionedKeys: { version, concerns: ({ name }) => concerned.includes(name) },
  });

function firstKey(engine: StorageEngine, name: string): string {
  const view = engine.snapshot();
  const index = view.collection('test.a')?.indexes.find((each) => each.name === name);
  assert.ok(index !== undefined);
  const cursor = view.scanIndex(index, {}, 1);
  assert.ok(cursor.next());
  const key = cursor.key.subarray(1).toString('latin1');
  cursor.close();
  view.close();
  return key;
}

const SECTOR = 4096;

/** Flips a bit in the oldest page of a collection. */
async function rotOnePage(path: string, collection: number): Promise<void> {
  const bytes = await readFile(path);
  for (let offset = SECTOR; offset < bytes.length; offset += SECTOR) {
    const rest = bytes.subarray(offset);
    if (claimedPageBytes(rest) === 0) continue;
    const page = peekPage(rest);
    if (page.address * SECTOR !== offset || page.collection !== collection) continue;
    bytes[offset + PAGE_HEADER.size + 100] ^= 1;
    await writeFile(path, bytes);
    return;
  }
  assert.fail('no page of the collection');
}

describe('Keys of an older version', () => {
  for (const [records, what] of [
    [5, 'small'],
    [50, 'large'],
  ] as const) {
    it(`of a ${what} collection are made again when the store is opened, also of the index on _id`, async () => {
      await withDirectory(async (dbpath) => {
        for (const version of ['v1', 'v1', 'v2', 'v3']) {
          const engine = await open(dbpath, version, ['_id_', 'a_1']);
          if (engine.snapshot().collection('test.a') === undefined) {
            const collection = createCollection(engine, 'test.a');
            for (let id = 0; id < records; id += 1) {
              insert(engine, collection, documentOf({ _id: id, a: id }));
            }
            await engine.buildIndexes('test.a', [A_INDEX], uninterruptible);
          }
          const names = describeCollection(engine, 'test.a').indexes.map(({ name }) => name);
          assert.deepEqual(names, ['_id_', 'a_1']);
          for (const name of names) assert.ok(firstKey(engine, name).startsWith(version), name);
          const report = await engine.validate('test.a', { full: true }, uninterruptible);
          assert.deepEqual(report.errors, []);
          await engine.close();
        }
      });
    });
  }

  for (const [records, what] of [
    [9, 'small'],
    [50, 'large'],
  ] as const) {
    it(`of a ${what} collection are made again but for a damaged record, which is named and keeps nobody from starting`, async () => {
      await withDirectory(async (dbpath) => {
        const first = await open(dbpath, 'v1', ['a_1'], { compression: 'none' });
        const collection = createCollection(first, 'test.a', A_INDEX);
        for (let id = 0; id < records; id += 1) {
          const pad = Buffer.alloc(40_000, 'x').toString();
          insert(first, collection, documentOf({ _id: id, a: id, pad }));
        }
        await first.close();
        await rotOnePage(join(dbpath, 'blocks.flint'), collection.ident);

        const lines: LogLine[] = [];
        const log = { write: (line: LogLine) => lines.push(line), withContext: () => log };
        const second = await open(dbpath, 'v2', ['a_1'], { log });
        assert.ok(firstKey(second, 'a_1').startsWith('v2'));
        const named = lines.filter(({ id }) => id === 5100302);
        assert.ok(named.length > 0);
        for (const { attributes } of named) {
          assert.equal(attributes?.['namespace'], 'test.a');
          assert.match(String(attributes['error']), /checksum/);
        }
        const report = await second.validate('test.a', { full: true }, uninterruptible);
        assert.equal(report.corruptRecords.length, 1);
        assert.deepEqual(report.invalidIndexes, []);
        assert.equal(report.keysPerIndex['a_1'], records - 1);
        await second.close();
      });
    });
  }

  it('are left alone where the version does not concern them', async () => {
    await withDirectory(async (dbpath) => {
      const idents: number[] = [];
      for (const version of ['v1', 'v2']) {
        const engine = await open(dbpath, version, ['other']);
        if (engine.snapshot().collection('test.a') === undefined) {
          insert(engine, createCollection(engine, 'test.a'), documentOf({ _id: 1 }));
        }
        idents.push(describeCollection(engine, 'test.a').indexes[0].ident);
        await engine.close();
      }
      assert.equal(idents[0], idents[1]);
    });
  });
});
