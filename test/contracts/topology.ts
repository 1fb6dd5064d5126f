/** What server/topology/contract.ts promises, run for every implementation. */
import assert from 'node:assert/strict';
import { documentOf, getField, int32Value, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { Lease, Topology, TopologyKey } from '../../server/index.ts';

export interface TopologyUnderTest {
  readonly topology: Topology;
  /** Time passes, for leases. Milliseconds. */
  pass(ms: number): void;
  /** The same facts after a clean end and a start. */
  reopen(): Promise<Topology>;
  dispose(): Promise<void>;
}

function key(name: string, set = 'things'): TopologyKey {
  return { set, id: stringValue(name) };
}

function fact(name: string, value: number): Buffer {
  return documentOf({ _id: name, value: int32Value(value) });
}

function valueOf(document: Buffer | undefined): number | undefined {
  return document === undefined ? undefined : getField(document, 'value')?.asNumber();
}

export function describeTopology(make: () => Promise<TopologyUnderTest>): void {
  let underTest: TopologyUnderTest;
  let topology: Topology;

  beforeEach(async () => {
    underTest = await make();
    topology = underTest.topology;
  });

  afterEach(() => underTest.dispose());

  function set(name: string, before: number | undefined, after: number | undefined) {
    const value = (of: number | undefined) => (of === undefined ? undefined : fact(name, of));
    return topology.compareAndSet(
      {
        expected: [{ key: key(name), value: value(before) }],
        puts: [{ key: key(name), value: value(after) }],
      },
      uninterruptible,
    );
  }

  it('has nothing at first', async () => {
    assert.equal(await topology.get(key('a')), undefined);
    assert.deepEqual(await topology.list('things'), []);
  });

  it('creates, replaces and removes what is as expected', async () => {
    assert.equal(await set('a', undefined, 1), true);
    assert.equal(await set('a', 1, 2), true);
    assert.equal(valueOf(await topology.get(key('a'))), 2);
    assert.equal(await set('a', 2, undefined), true);
    assert.equal(await topology.get(key('a')), undefined);
  });

  it('changes nothing when one expectation of several fails', async () => {
    await set('a', undefined, 1);
    const changed = await topology.compareAndSet(
      {
        expected: [
          { key: key('b'), value: undefined },
          { key: key('a'), value: fact('a', 7) },
        ],
        puts: [
          { key: key('b'), value: fact('b', 1) },
          { key: key('a'), value: fact('a', 8) },
        ],
      },
      uninterruptible,
    );
    assert.equal(changed, false);
    assert.equal(await topology.get(key('b')), undefined);
    assert.equal(valueOf(await topology.get(key('a'))), 1);
  });

  it('expects that there is nothing', async () => {
    await set('a', undefined, 1);
    assert.equal(await set('a', undefined, 2), false);
    assert.equal(await set('b', 1, 2), false);
  });

  it('changes several sets in one step', async () => {
    const puts = [
      { key: key('a', 'these'), value: fact('a', 1) },
      { key: key('a', 'those'), value: fact('a', 2) },
    ];
    assert.equal(await topology.compareAndSet({ expected: [], puts }, uninterruptible), true);
    assert.equal(valueOf(await topology.get(key('a', 'these'))), 1);
    assert.equal(valueOf(await topology.get(key('a', 'those'))), 2);
    assert.equal((await topology.list('these')).length, 1);
  });

  it('has one winner among many that expect the same', async () => {
    await set('a', undefined, 0);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => set('a', 0, index + 1)),
    );
    assert.equal(results.filter((won) => won).length, 1);
    assert.equal(valueOf(await topology.get(key('a'))), results.indexOf(true) + 1);
  });

  it('loses no increment of many that try again until they win', async () => {
    await set('a', undefined, 0);
    const increment = async (): Promise<void> => {
      for (;;) {
        const before = valueOf(await topology.get(key('a'))) ?? 0;
        if (await set('a', before, before + 1)) return;
      }
    };
    await Promise.all(Array.from({ length: 12 }, increment));
    assert.equal(valueOf(await topology.get(key('a'))), 12);
  });

  it('changes nothing when it was interrupted before', async () => {
    const reason = new CommandError('Interrupted', 'killed');
    const interrupted = {
      reason,
      throwIfInterrupted: () => {
        throw reason;
      },
      onInterrupt: () => () => {},
    };
    const puts = [{ key: key('a'), value: fact('a', 1) }];
    await assert.rejects(topology.compareAndSet({ expected: [], puts }, interrupted), {
      code: 11601,
    });
    assert.equal(await topology.get(key('a')), undefined);
  });

  it('tells watchers of a set every change in order, until they go', async () => {
    const heard: (number | undefined)[] = [];
    const end = topology.watch('things', ({ value }) => heard.push(valueOf(value)));
    await set('a', undefined, 1);
    await set('a', 5, 6);
    await Promise.all([set('a', 1, 2), set('b', undefined, 3)]);
    await set('a', 2, undefined);
    end();
    await set('a', undefined, 9);
    assert.deepEqual(heard, [1, 2, 3, undefined]);
  });

  it('keeps facts over an end and a start', async () => {
    await set('a', undefined, 1);
    topology = await underTest.reopen();
    assert.equal(valueOf(await topology.get(key('a'))), 1);
    assert.equal(await set('a', 1, 2), true);
  });

  describe('leases', () => {
    const ask = (holder: string): Promise<Lease | undefined> =>
      topology.lease({ name: 'lead', holder, ttlMs: 1000, why: 'test' });

    it('have one holder at a time', async () => {
      const [first, second] = await Promise.all([ask('a'), ask('b')]);
      assert.equal([first, second].filter((lease) => lease !== undefined).length, 1);
      assert.equal(await ask('c'), undefined);
    });

    it('go to another holder with a greater term when they have run out', async () => {
      const first = await ask('a');
      underTest.pass(1001);
      const second = await ask('b');
      assert.ok(first !== undefined && second !== undefined);
      assert.ok(second.term > first.term);
      assert.equal(await first.renew(), false);
      assert.equal(await second.renew(), true);
    });

    it('last as long as they are renewed', async () => {
      const first = await ask('a');
      for (let round = 0; round < 3; round += 1) {
        underTest.pass(900);
        assert.equal(await first?.renew(), true);
      }
      assert.equal(await ask('b'), undefined);
    });

    it('that ran out are not renewed, though nobody else has come', async () => {
      const first = await ask('a');
      underTest.pass(1001);
      assert.equal(await first?.renew(), false);
      assert.equal(await first?.renew(), false);
    });

    it('are free at once when they are given back', async () => {
      const first = await ask('a');
      await first?.release();
      await first?.release();
      assert.equal(await first?.renew(), false);
      assert.equal((await ask('b'))?.term, 2n);
    });

    it('come back at once to the holder that asks again, with a new term', async () => {
      const before = await ask('a');
      topology = await underTest.reopen();
      const after = await ask('a');
      assert.equal(after?.term, 2n);
      assert.equal(before?.term, 1n);
    });
  });
}
