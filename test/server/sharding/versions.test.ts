import assert from 'node:assert/strict';
import { documentOf, documentValue, int32Value } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  DatabaseVersion,
  ShardVersion,
  staleConfigError,
  staleDbVersionError,
} from '../../../server/cluster.ts';

const GENERATION = { epoch: '6512bd43d9caa6e02c990b0a', timestamp: (1700000000n << 32n) | 7n };

function version(major: number, minor: number): ShardVersion {
  return new ShardVersion(GENERATION, { major, minor });
}

describe('versions of collections and databases', () => {
  it('read what they wrote', () => {
    const shard = version(0xffff_fffe, 3);
    assert.ok(ShardVersion.parse(documentValue(shard.toValue())).equals(shard));
    const database = new DatabaseVersion('0123456789abcdef0123456789abcdef', 5n << 32n, 9);
    assert.ok(DatabaseVersion.parse(documentValue(database.toValue())).equals(database));
  });

  it('of a shard are compatible when generation and major number agree', () => {
    assert.equal(version(3, 1).isCompatibleWith(version(3, 8)), true);
    assert.equal(version(3, 1).isCompatibleWith(version(4, 1)), false);
    const reborn = new ShardVersion(
      { epoch: '6512bd43d9caa6e02c990b0b', timestamp: 1n },
      { major: 3, minor: 1 },
    );
    assert.equal(version(3, 1).isCompatibleWith(reborn), false);
  });

  it('know the two that routers send for what is not sharded or not to be checked', () => {
    assert.equal(ShardVersion.UNSHARDED.isUnsharded, true);
    assert.equal(ShardVersion.UNSHARDED.isIgnored, false);
    const ignored = ShardVersion.parse(documentValue(ShardVersion.IGNORED.toValue()));
    assert.equal(ignored.isIgnored, true);
    assert.equal(ignored.isUnsharded, false);
    assert.equal(version(0, 0).isIgnored, false);
  });

  it('are refused when a field is missing or of another type', () => {
    const refuses = (document: Buffer, code: string): void => {
      assert.throws(
        () => ShardVersion.parse(documentValue(document)),
        (error: unknown) => error instanceof CommandError && error.codeName === code,
      );
    };
    refuses(documentOf({}), 'IDLFailedToParse');
    refuses(documentOf({ e: 5 }), 'TypeMismatch');
    assert.throws(() => ShardVersion.parse(int32Value(1)), { code: 14 });
    assert.throws(() => DatabaseVersion.parse(int32Value(1)), { code: 14 });
    assert.throws(() => DatabaseVersion.parse(documentValue(documentOf({ uuid: 'x' }))), {
      code: 14,
    });
  });

  it('stand in the errors that say that they are old', () => {
    const error = staleConfigError({
      namespace: 'a.b',
      received: version(1, 0),
      wanted: undefined,
      shardId: 'shard1',
      because: 'version mismatch detected for',
    });
    assert.equal(error.code, 13388);
    assert.deepEqual(Object.keys(error.fields), ['ns', 'vReceived', 'shardId']);
    const stale = staleDbVersionError('a', new DatabaseVersion('0'.repeat(32), 1n, 1), undefined);
    assert.equal(stale.code, 249);
    assert.deepEqual(Object.keys(stale.fields), ['db', 'vReceived']);
  });
});
