/**
 * A small share of the oracle: `npm run oracle` runs as many cases as one likes.
 */
import assert from 'node:assert/strict';
import { serverForTests } from '../support/test-server.ts';
import { runOracle } from './oracle.ts';
import { RandomWrites } from './random-writes.ts';
import { ClusterBesideServer } from './cluster-beside-server.ts';
import { runSharded } from './sharded.ts';

describe('an index', () => {
  const server = serverForTests();

  for (let seed = 1; seed <= 8; seed += 1) {
    it(`answers as a collection scan does (seed ${seed})`, async () => {
      await runOracle(server.freshDatabase(), seed, 20);
    });
  }

  for (const clustered of [false, true]) {
    const where = clustered ? 'a clustered collection' : 'a collection';
    it(`of any kind agrees with ${where} after random writes`, async () => {
      const writes = new RandomWrites(server.client, 'written');
      await writes.create({ clustered });
      await writes.run(1, 400);
      const { records, entries } = await writes.validate();
      assert.ok(records > 50);
      assert.equal(Object.keys(entries).length, 20);
    });
  }
});

describe('a cluster whose chunks move', () => {
  let sides: ClusterBesideServer;

  before(async () => {
    sides = await ClusterBesideServer.start();
  });
  after(() => sides.stop());

  // One seed for each kind of shard key.
  for (let seed = 1; seed <= 3; seed += 1) {
    it(`answers as one server does (seed ${seed})`, async () => {
      const { operations, moves } = await runSharded(sides, seed, 40);
      assert.equal(operations, 40);
      assert.ok(moves > 0);
    });
  }
});
