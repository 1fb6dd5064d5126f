import assert from 'node:assert/strict';
import { BASE, decodeBase, encodeBase } from '../../../storage/format/base.ts';
import { readU64, writeU64 } from '../../../storage/format/integers.ts';
import {
  MANIFEST_COLLECTION,
  MANIFEST_EXTENT,
  MANIFEST_HEAD,
} from '../../../storage/format/manifest.ts';
import { DIRECTORY_ENTRY, PAGE_HEADER } from '../../../storage/format/page.ts';
import { SUPERBLOCK } from '../../../storage/format/superblock.ts';
import { assertTableFits, readFormatTable } from '../../support/format-tables.ts';
import { commit } from '../blocks/store-fixture.ts';

describe('layouts of the block store', () => {
  const layouts = [
    ['superblock.md', 'Fields', SUPERBLOCK],
    ['page.md', 'Header', PAGE_HEADER],
    ['page.md', 'Directory', DIRECTORY_ENTRY],
    ['manifest.md', 'Head', MANIFEST_HEAD],
    ['manifest.md', 'Collections', MANIFEST_COLLECTION],
    ['manifest.md', 'Extents', MANIFEST_EXTENT],
    ['manifest.md', 'Base', BASE],
  ] as const;

  for (const [file, heading, layout] of layouts) {
    it(`stand in docs/format/${file} under ${heading} as in the code`, () => {
      assertTableFits(readFormatTable(file, heading), layout);
    });
  }

  it('encode a base so that it decodes to the same', () => {
    const base = {
      checkpoint: 7,
      commitNumber: commit(2 ** 40 + 1),
      manifestAddress: 2 ** 34 + 3,
      manifestGeneration: 70,
      manifestSectors: 9,
    };
    assert.deepEqual(decodeBase(encodeBase(base)), base);
    assert.throws(() => decodeBase(Buffer.alloc(39)), /39 bytes/);
  });

  it('hold 64-bit numbers up to 2^53 exactly, and no others', () => {
    const bytes = Buffer.alloc(8);
    for (const number of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 45 + 12_345, Number.MAX_SAFE_INTEGER]) {
      writeU64(bytes, number, 0);
      assert.equal(readU64(bytes, 0), number);
      assert.equal(bytes.readBigUInt64LE(0), BigInt(number));
    }
    assert.throws(() => writeU64(bytes, -1, 0), /negative/);
    assert.throws(() => writeU64(bytes, 2 ** 53, 0), /safe integer/);
    assert.throws(() => writeU64(bytes, 1.5, 0), /safe integer/);
  });
});
