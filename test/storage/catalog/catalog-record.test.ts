import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import {
  catalogKey,
  decodeCatalogRecord,
  decodeReapRecord,
  decodeStoreRecord,
  encodeCatalogRecord,
  encodeReapRecord,
  encodeStoreRecord,
  reapKey,
  STORE_RECORD_KEY,
  type CatalogRecord,
} from '../../../storage/catalog/catalog-record.ts';
import { describeIndex, ID_INDEX_SPEC } from '../../../storage/catalog/index-spec.ts';
import type { CollectionUuid, CommitNumber, Ident } from '../../../storage/index.ts';
import { hexDump, matchGolden } from '../../support/golden.ts';

const A_INDEX = documentOf({
  v: 2,
  key: documentOf({ a: 1, 'b.c': -1 }),
  name: 'ab',
  unique: true,
});

const RECORD: CatalogRecord = {
  description: {
    ident: 16 as Ident,
    uuid: '00112233445546678899aabbccddeeff' as CollectionUuid,
    namespace: 'test.a',
    kind: 'collection',
    options: documentOf({ validationLevel: 'strict' }),
    compression: 'zstd',
    indexes: [
      describeIndex(ID_INDEX_SPEC, { ident: 17 as Ident, ready: true }),
      describeIndex(A_INDEX, { ident: 18 as Ident, ready: false, multikeyPaths: [[], [0, 1]] }),
    ],
  },
  size: { records: 3, bytes: 5_000_000_000 },
  recordIdHighWater: 7,
};

const STORE = {
  base: {
    checkpoint: 1,
    commitNumber: 2 as CommitNumber,
    manifestAddress: 3,
    manifestGeneration: 4,
    manifestSectors: 5,
  },
  keyVersion: undefined,
  identHighWater: 18,
};

describe('A catalog record', () => {
  it('comes back as it was written', () => {
    const key = catalogKey(RECORD.description.ident);
    assert.deepEqual(decodeCatalogRecord(key, encodeCatalogRecord(RECORD)), RECORD);
    assert.deepEqual(decodeStoreRecord(encodeStoreRecord(STORE)), STORE);
    const reaped = { ident: 16 as Ident, kind: 'records', entries: 100 } as const;
    assert.deepEqual(decodeReapRecord(reapKey(reaped.ident), encodeReapRecord(reaped)), reaped);
  });

  it('has the bytes of the golden dump', () => {
    const parts = [
      ['collection key', catalogKey(RECORD.description.ident)],
      ['collection', encodeCatalogRecord(RECORD)],
      ['store key', STORE_RECORD_KEY],
      ['store', encodeStoreRecord(STORE)],
      ['reap key', reapKey(16 as Ident)],
      [
        'tree to be reaped',
        encodeReapRecord({ ident: 16 as Ident, kind: 'records', entries: 100 }),
      ],
    ] as const;
    const dump = parts.map(([name, bytes]) => `# ${name}\n${hexDump(bytes)}`).join('\n');
    matchGolden('storage/catalog.txt', dump);
  });

  it('with a field missing is named as malformed', () => {
    assert.throws(() => decodeStoreRecord(documentOf({ base: 1 })), /catalog record|base/);
    assert.throws(() => decodeCatalogRecord(catalogKey(16 as Ident), documentOf({})), /is missing/);
  });
});
