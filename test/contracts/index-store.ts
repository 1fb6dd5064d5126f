/** What storage/indexes/contract.ts promises, run for every implementation of an index store. */
import assert from 'node:assert/strict';
import { CorruptionError } from '../../common/errors.ts';
import { SeededRandom } from '../../common/random.ts';
import type { CommitNumber, Ident, RecordId } from '../../storage/contract.ts';
import {
  blockOfRecordMapKey,
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  recordSlotOf,
  type RecordPlace,
} from '../../storage/format/record-map.ts';
import { STORE_IDENTITY_KEY } from '../../storage/format/store-identity.ts';
import { indexEntryKey, treeEnd, treePrefix } from '../../storage/format/tree-key.ts';
import { IndexChanges } from '../../storage/indexes/changes.ts';
import type {
  IndexSnapshot,
  IndexStore,
  StoreCursor,
  StoreRange,
} from '../../storage/indexes/contract.ts';

export interface IndexStoreUnderTest {
  /** Opens the one store of this test; the store before must have been closed. */
  open(options: { readonly create: boolean; readonly storeId?: Buffer }): Promise<IndexStore>;
  /** Removes what the closed store kept. */
  lose(): Promise<void>;
  dispose(): Promise<void>;
}

export const STORE_ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

export function describeIndexStore(make: () => Promise<IndexStoreUnderTest>): void {
  let underTest: IndexStoreUnderTest;
  let store: IndexStore;
  let commits = 0;

  beforeEach(async () => {
    underTest = await make();
    store = await underTest.open({ create: true });
    commits = 0;
  });

  afterEach(async () => {
    await store.close();
    await underTest.dispose();
  });

  async function commit(fill: (changes: IndexChanges) => void): ReturnType<IndexStore['commit']> {
    const changes = new IndexChanges();
    fill(changes);
    commits += 1;
    return store.commit(changes, stampOf(commits));
  }

  async function reopen(): Promise<void> {
    await store.close();
    store = await underTest.open({ create: false });
  }

  function readAll(range: StoreRange = {}, snapshot = store.beginRead()): string[] {
    const cursor = snapshot.scan({ lower: FIRST_USER_KEY, ...range });
    const found = entriesOf(cursor);
    snapshot.release();
    return found;
  }

  describe('commit', () => {
    it('keeps what it was given, in order of bytes', async () => {
      await commit((changes) => {
        changes.put(key('b'), Buffer.from('2'));
        changes.put(key('a'), Buffer.from('1'));
        changes.put(key('\u00ff'), Buffer.from('4'));
        changes.put(key('b\0'), Buffer.from('3'));
        changes.put(key('empty'), Buffer.alloc(0));
      });
      assert.deepEqual(readAll(), ['a=1', 'b=2', 'b\0=3', 'empty=', '\u00c3\u00bf=4']);
    });

    it('applies changes in the order in which they were added', async () => {
      await commit((changes) => {
        changes.put(key('a'), Buffer.from('1'));
        changes.delete(key('a'));
        changes.put(key('b'), Buffer.from('1'));
        changes.put(key('b'), Buffer.from('2'));
        changes.delete(key('never'));
      });
      assert.deepEqual(readAll(), ['b=2']);
    });

    it('survives closing and opening, with its stamp', async () => {
      await commit((changes) => changes.put(key('a'), Buffer.from('1')));
      await reopen();
      assert.deepEqual(readAll(), ['a=1']);
      assert.deepEqual(store.stamp, stampOf(1));
    });

    it('takes a commit without changes, for the stamp alone', async () => {
      await commit(() => {});
      await commit(() => {});
      await reopen();
      assert.deepEqual(store.stamp, stampOf(2));
    });

    it('takes values larger than any page and changes larger than any chunk', async () => {
      const large = new SeededRandom(5).bytes(5_000_000);
      await commit((changes) => {
        changes.put(key('large'), large);
        for (let index = 0; index < 3000; index += 1) {
          changes.put(key(`small ${index}`), Buffer.alloc(200, index));
        }
      });
      const snapshot = store.beginRead();
      assert.ok(snapshot.get(key('large'))?.equals(large));
      const cursor = snapshot.scan({ lower: key('large'), upper: key('m') });
      assert.ok(cursor.next());
      assert.ok(cursor.value.equals(large));
      snapshot.release();
      assert.equal(readAll().length, 3001);
    });

    it('applies nothing of a commit that fails, and takes the next one', async () => {
      const ident = 40 as Ident;
      await commit((changes) => {
        changes.put(recordMapKey(ident, 0), Buffer.from('not a block'));
      });
      const failing = commit((changes) => {
        changes.put(key('a'), Buffer.from('1'));
        changes.setRecord(ident, 5 as RecordId, placeOf(5));
      });
      await assert.rejects(failing, isKind('malformed'));
      assert.deepEqual(store.stamp, stampOf(1));
      assert.deepEqual(readAll({ upper: treePrefix(ident) }), []);
      await commit((changes) => changes.put(key('b'), Buffer.from('2')));
      assert.deepEqual(readAll({ upper: treePrefix(ident) }), ['b=2']);
    });

    it('deletes a range in slices, and says when it is empty', async () => {
      await commit((changes) => {
        for (const name of ['a', 'b', 'c', 'd', 'e']) changes.put(key(name), Buffer.from(name));
      });
      const first = await commit((changes) => changes.deleteRange(key('b'), key('e'), 2));
      assert.deepEqual(first.deletedRanges, [{ deleted: 2, finished: false }]);
      assert.deepEqual(readAll(), ['a=a', 'd=d', 'e=e']);
      const second = await commit((changes) => changes.deleteRange(key('b'), key('e'), 2));
      assert.deepEqual(second.deletedRanges, [{ deleted: 1, finished: true }]);
      assert.deepEqual(readAll(), ['a=a', 'e=e']);
    });

    it('makes index entries that sort by key, then by record id', async () => {
      const ident = 77 as Ident;
      await commit((changes) => {
        for (const [name, recordId] of [
          ['x', 300],
          ['x', 2],
          ['w', 9],
        ] as const) {
          changes.putIndexEntry(ident, Buffer.from(name), recordId as RecordId, Buffer.from([7]));
        }
        changes.putIndexEntry(ident, Buffer.from('gone'), 1 as RecordId, Buffer.alloc(0));
        changes.deleteIndexEntry(ident, Buffer.from('gone'), 1 as RecordId);
      });
      const snapshot = store.beginRead();
      const cursor = snapshot.scan({ lower: treePrefix(ident), upper: treeEnd(ident) });
      const expected = [
        ['w', 9],
        ['x', 2],
        ['x', 300],
      ] as const;
      for (const [name, recordId] of expected) {
        assert.ok(cursor.next());
        const entryKey = indexEntryKey(ident, Buffer.from(name), recordId as RecordId);
        assert.ok(cursor.key.equals(entryKey));
        assert.ok(cursor.value.equals(Buffer.from([7])));
      }
      assert.equal(cursor.next(), false);
      snapshot.release();
    });
  });

  describe('record map', () => {
    const ident = 40 as Ident;

    it('gives back each place, and nothing for a record that was removed', async () => {
      await commit((changes) => {
        for (const recordId of [1, 2, 31, 32, 33, 1000]) {
          changes.setRecord(ident, recordId as RecordId, placeOf(recordId));
        }
      });
      await commit((changes) => {
        changes.removeRecord(ident, 2 as RecordId);
        changes.setRecord(ident, 31 as RecordId, placeOf(777));
        changes.removeRecord(ident, 1000 as RecordId);
        changes.removeRecord(ident, 5000 as RecordId);
      });
      const snapshot = store.beginRead();
      assert.deepEqual(placeIn(snapshot, ident, 1), placeOf(1));
      assert.deepEqual(placeIn(snapshot, ident, 31), placeOf(777));
      assert.deepEqual(placeIn(snapshot, ident, 32), placeOf(32));
      assert.deepEqual(placeIn(snapshot, ident, 33), placeOf(33));
      for (const recordId of [2, 3, 1000, 5000]) {
        assert.equal(placeIn(snapshot, ident, recordId), undefined);
      }
      snapshot.release();
    });

    it('has places up to the limits of their fields', async () => {
      const place: RecordPlace = {
        sector: 2 ** 40 - 1,
        sectors: 65_535,
        slot: 65_535,
        bytes: 2 ** 32 - 1,
        generation: 2 ** 40 - 1,
        commitNumber: (2 ** 48 - 1) as CommitNumber,
      };
      const recordId = (2 ** 48 - 1) as RecordId;
      await commit((changes) => changes.setRecord(ident, recordId, place));
      const snapshot = store.beginRead();
      assert.deepEqual(placeIn(snapshot, ident, recordId), place);
      snapshot.release();
    });

    it('has one entry for 32 records, and none for records of a neighbour', async () => {
      await commit((changes) => {
        changes.setRecord((ident - 1) as Ident, 9 as RecordId, placeOf(9));
        for (const recordId of [1, 31, 32, 200]) {
          changes.setRecord(ident, recordId as RecordId, placeOf(recordId));
        }
        changes.setRecord((ident + 1) as Ident, 9 as RecordId, placeOf(9));
      });
      const snapshot = store.beginRead();
      const cursor = snapshot.scan({ lower: treePrefix(ident), upper: treeEnd(ident) });
      const blocks: number[] = [];
      while (cursor.next()) blocks.push(blockOfRecordMapKey(cursor.key));
      assert.deepEqual(blocks, [0, 1, 6]);
      snapshot.release();
    });
  });

  describe('snapshot', () => {
    it('shows the state it was taken of, while commits go on', async () => {
      await commit((changes) => changes.put(key('a'), Buffer.from('1')));
      const first = store.beginRead();
      await commit((changes) => changes.put(key('a'), Buffer.from('2')));
      const second = store.beginRead();
      await commit((changes) => changes.delete(key('a')));
      const third = store.beginRead();
      assert.deepEqual(
        [first, second, third].map((snapshot) => snapshot.get(key('a'))?.toString()),
        ['1', '2', undefined],
      );
      assert.deepEqual(
        [first, second, third].map((snapshot) => snapshot.stamp.checkpoint),
        [1, 2, 3],
      );
      assert.deepEqual(readAll({}, first), ['a=1']);
      assert.deepEqual(readAll({}, second), ['a=2']);
      assert.deepEqual(readAll({}, third), []);
    });

    it('shows a commit only when it is durable, and then at once', async () => {
      const changes = new IndexChanges();
      changes.put(key('a'), Buffer.from('1'));
      const committed = store.commit(changes, stampOf(1));
      const during = store.beginRead();
      assert.equal(during.get(key('a')), undefined);
      await committed;
      assert.equal(during.get(key('a')), undefined);
      const after = store.beginRead();
      assert.equal(after.get(key('a'))?.toString(), '1');
      during.release();
      after.release();
    });

    it('is counted while it is open, and released once', () => {
      const snapshot = store.beginRead();
      assert.equal(store.statistics().openSnapshots, 1);
      snapshot.release();
      snapshot.release();
      assert.equal(store.statistics().openSnapshots, 0);
      assert.throws(() => snapshot.get(key('a')), /read after release/);
    });

    it('holds many at once', () => {
      const snapshots = Array.from({ length: 300 }, () => store.beginRead());
      for (const snapshot of snapshots) assert.equal(snapshot.get(key('a')), undefined);
      for (const snapshot of snapshots) snapshot.release();
    });

    it('gives values in memory of their own', async () => {
      await commit((changes) => changes.put(key('a'), Buffer.from('one')));
      const snapshot = store.beginRead();
      const value = snapshot.get(key('a'));
      assert.ok(value !== undefined);
      value.fill(0);
      assert.equal(snapshot.get(key('a'))?.toString(), 'one');
      snapshot.release();
      assert.deepEqual([...value], [0, 0, 0]);
    });
  });

  describe('cursor', () => {
    const names = ['a', 'aa', 'b', 'c', 'd', 'dd', 'e'];

    beforeEach(async () => {
      await commit((changes) => {
        for (const name of names) changes.put(key(name), Buffer.from(name));
      });
    });

    it('keeps to its bounds, open and closed, both ways', () => {
      const bounds = [undefined, 'a', 'ab', 'b', 'dd', 'z'];
      for (const lower of bounds) {
        for (const upper of bounds) {
          for (const lowerInclusive of [true, false]) {
            for (const upperInclusive of [true, false]) {
              const expected = names.filter(
                (name) =>
                  (lower === undefined || name > lower || (lowerInclusive && name === lower)) &&
                  (upper === undefined || name < upper || (upperInclusive && name === upper)),
              );
              const range = {
                lower: lower === undefined ? FIRST_USER_KEY : key(lower),
                ...(upper === undefined ? {} : { upper: key(upper) }),
                lowerInclusive,
                upperInclusive,
              };
              const pairs = expected.map((name) => `${name}=${name}`);
              assert.deepEqual(readAll(range), pairs);
              assert.deepEqual(readAll({ ...range, direction: -1 }), pairs.toReversed());
            }
          }
        }
      }
    });

    it('walks the whole store when its range is open, both ways', () => {
      const snapshot = store.beginRead();
      for (const direction of [1, -1] as const) {
        const cursor = snapshot.scan({ direction });
        let count = 0;
        while (cursor.next()) count += 1;
        assert.equal(count, names.length + 1);
        assert.ok(cursor.key.equals(direction === 1 ? key('e') : STORE_IDENTITY_KEY));
      }
      snapshot.release();
    });

    it('takes bounds longer than any key', () => {
      const long = Buffer.concat([key('b'), Buffer.alloc(5000, 1)]);
      assert.deepEqual(readAll({ lower: long }), ['c=c', 'd=d', 'dd=dd', 'e=e']);
      assert.deepEqual(readAll({ upper: long }), ['a=a', 'aa=aa', 'b=b']);
      assert.deepEqual(readAll({ upper: long, direction: -1 }), ['b=b', 'aa=aa', 'a=a']);
    });

    it('seeks to the first entry at or after a key, in its direction and within its range', () => {
      const snapshot = store.beginRead();
      const range = { lower: key('aa'), upper: key('dd') };
      const up = snapshot.scan(range);
      const down = snapshot.scan({ ...range, direction: -1 });
      const cases: [target: string, upwards: string | undefined, downwards: string | undefined][] =
        [
          ['b', 'b', 'b'],
          ['bb', 'c', 'b'],
          ['a', 'aa', undefined],
          ['0', 'aa', undefined],
          ['d', 'd', 'd'],
          ['z', undefined, 'd'],
        ];
      for (const [target, upwards, downwards] of cases) {
        up.seek(key(target));
        down.seek(key(target));
        assert.equal(up.next() ? up.value.toString() : undefined, upwards);
        assert.equal(down.next() ? down.value.toString() : undefined, downwards);
      }
      snapshot.release();
    });

    it('goes on where it stood after it was suspended, both ways', () => {
      for (const direction of [1, -1] as const) {
        const snapshot = store.beginRead();
        const cursor = snapshot.scan({ lower: FIRST_USER_KEY, direction });
        const found: string[] = [];
        cursor.suspend();
        while (cursor.next()) {
          found.push(cursor.value.toString());
          cursor.suspend();
          cursor.suspend();
        }
        assert.deepEqual(found, direction === 1 ? names : names.toReversed());
        snapshot.release();
      }
    });

    it('stays at its end, and gives nothing once closed', () => {
      const snapshot = store.beginRead();
      const cursor = snapshot.scan({ lower: key('e') });
      assert.ok(cursor.next());
      assert.equal(cursor.next(), false);
      assert.equal(cursor.next(), false);
      cursor.seek(key('e'));
      assert.ok(cursor.next());
      cursor.close();
      assert.equal(cursor.next(), false);
      snapshot.release();
    });

    it('is refused once its snapshot is released', () => {
      const snapshot = store.beginRead();
      const cursor = snapshot.scan({ lower: FIRST_USER_KEY });
      assert.ok(cursor.next());
      snapshot.release();
      assert.throws(() => {
        cursor.seek(key('a'));
        if (!cursor.next()) throw new Error('scan after release');
      }, /scan after release/);
    });
  });

  it('agrees with a sorted map through random commits', async () => {
    const random = new SeededRandom(11);
    const model = new Map<string, string>();
    for (let round = 0; round < 12; round += 1) {
      await commit((changes) => {
        for (let count = 0; count < 120; count += 1) {
          const name = `k${random.below(400)}`;
          if (random.below(3) === 0) {
            changes.delete(key(name));
            model.delete(name);
          } else {
            const value = `${round}.${count}`;
            changes.put(key(name), Buffer.from(value));
            model.set(name, value);
          }
        }
      });
      const expected = [...model].map(([name, value]) => `${name}=${value}`).toSorted();
      const byName = (pair: string): string => pair.slice(0, pair.indexOf('='));
      expected.sort((a, b) => (byName(a) < byName(b) ? -1 : 1));
      assert.deepEqual(readAll(), expected);
      assert.deepEqual(readAll({ direction: -1 }), expected.toReversed());
    }
  });

  describe('identity', () => {
    it('is refused when another store asks', async () => {
      await store.close();
      const other = Buffer.alloc(16, 9);
      await assert.rejects(underTest.open({ create: false, storeId: other }), isKind('foreign'));
      await assert.rejects(underTest.open({ create: true, storeId: other }), isKind('foreign'));
      store = await underTest.open({ create: false });
    });

    it('is kept when a store that exists is opened with create', async () => {
      await commit((changes) => changes.put(key('a'), Buffer.from('1')));
      await store.close();
      store = await underTest.open({ create: true });
      assert.deepEqual(store.stamp, stampOf(1));
      assert.deepEqual(readAll(), ['a=1']);
    });

    it('is missed when the store is gone: a loss, never an empty store', async () => {
      await store.close();
      await underTest.lose();
      await assert.rejects(underTest.open({ create: false }), isKind('missing'));
      store = await underTest.open({ create: true });
    });

    it('stands under a key that no tree has', () => {
      assert.ok(Buffer.compare(STORE_IDENTITY_KEY, FIRST_USER_KEY) < 0);
    });
  });
}

const FIRST_USER_KEY = treePrefix(16 as Ident);

function key(name: string): Buffer {
  return Buffer.concat([FIRST_USER_KEY, Buffer.from(name, 'utf8')]);
}

function entriesOf(cursor: StoreCursor): string[] {
  const found: string[] = [];
  while (cursor.next()) {
    const name = cursor.key.subarray(FIRST_USER_KEY.length).toString('latin1');
    found.push(`${name}=${cursor.value.toString('latin1')}`);
  }
  return found;
}

function stampOf(checkpoint: number): IndexSnapshot['stamp'] {
  return { checkpoint, applied: (checkpoint * 100) as CommitNumber };
}

/** Where the record map of a snapshot says that a record lies. */
export function placeIn(
  snapshot: IndexSnapshot,
  ident: Ident,
  recordId: number,
): RecordPlace | undefined {
  const block = snapshot.get(recordMapKey(ident, recordBlockOf(recordId as RecordId)));
  if (block === undefined) return undefined;
  const slot = recordSlotOf(recordId as RecordId);
  const present = presentRecords(block);
  const isThere = (present & (1 << slot)) !== 0;
  return isThere ? readRecordPlace(block, recordEntryOffset(present, slot)) : undefined;
}

function placeOf(seed: number): RecordPlace {
  return {
    sector: seed * 1_000_003,
    sectors: 1 + (seed % 8),
    slot: seed % 65_536,
    bytes: seed * 17,
    generation: seed + 5_000_000_000,
    commitNumber: (seed * 3) as CommitNumber,
  };
}

function isKind(kind: CorruptionError['kind']): (error: unknown) => boolean {
  return (error) => error instanceof CorruptionError && error.kind === kind;
}
