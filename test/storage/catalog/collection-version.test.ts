import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { documentOf } from '../../../bson/index.ts';
import { CollectionVersion } from '../../../storage/catalog/collection-version.ts';
import { describeIndex, ID_INDEX_SPEC } from '../../../storage/catalog/index-spec.ts';
import type { CollectionUuid, Ident } from '../../../storage/contract.ts';
import { A_INDEX } from '../engine/fixture.ts';

describe('A version of a collection', () => {
  it('has the index on _id before all others, also when it was made anew behind one whose build goes on', () => {
    const building = describeIndex(A_INDEX, { ident: 12 as Ident, ready: false });
    const madeAnew = describeIndex(ID_INDEX_SPEC, { ident: 13 as Ident, ready: true });
    const version = new CollectionVersion(
      {
        ident: 11 as Ident,
        uuid: '00' as CollectionUuid,
        namespace: 'test.a',
        kind: 'collection',
        options: documentOf({}),
        compression: 'none',
        indexes: [building, madeAnew],
      },
      () => undefined,
    );
    assert.deepEqual(
      version.indexes.map(({ name }) => name),
      ['_id_', 'a_1'],
    );
    assert.equal(version.writers[0].index.name, '_id_');
  });
});
