import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Generation } from '../../../storage/delta/generation.ts';
import { History } from '../../../storage/delta/history.ts';
import type { KeyPosition } from '../../../storage/delta/key-order.ts';
import { KeyTable } from '../../../storage/delta/key-table.ts';
import { NumberTable } from '../../../storage/delta/number-table.ts';
import { OpenSnapshots } from '../../../storage/delta/open-snapshots.ts';
import { SortedNumbers } from '../../../storage/delta/sorted-numbers.ts';
import { NO_ROW, TOMBSTONE } from '../../../storage/delta/version-rows.ts';

describe('SortedNumbers', () => {
  it('walks what was added, in both directions, whatever the order it came in', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 2000 }),
        (numbers) => {
          const sorted = new SortedNumbers();
          for (const number of numbers) sorted.add(number);
          const expected = [...numbers].sort((a, b) => a - b);
          const ascending: number[] = [];
          for (let n = sorted.next(-1); n !== Infinity; n = sorted.next(n)) ascending.push(n);
          const descending: number[] = [];
          for (let n = sorted.previous(Infinity); n !== -Infinity; n = sorted.previous(n)) {
            descending.push(n);
          }
          assert.deepEqual(ascending, expected);
          assert.deepEqual(descending, expected.reverse());
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('NumberTable', () => {
  it('finds every number that was added, beyond 2^32 too, and no other', () => {
    const table = new NumberTable();
    const keys = Array.from({ length: 5000 }, (_, index) => index * 4_294_967_311);
    for (const [index, key] of keys.entries()) table.add(key, index);
    for (const [index, key] of keys.entries()) assert.equal(table.get(key), index);
    for (const key of keys) assert.equal(table.get(key + 1), -1);
  });
});

describe('OpenSnapshots', () => {
  it('know whether anybody sees a version between two commits', () => {
    const snapshots = new OpenSnapshots();
    const old = snapshots.pin(5);
    const young = snapshots.pin(9);
    assert.equal(snapshots.anySees(5, 6), true);
    assert.equal(snapshots.anySees(6, 9), false);
    assert.equal(snapshots.anySees(6, 10), true);
    snapshots.unpin(old);
    assert.equal(snapshots.anySees(1, 9), false);
    assert.equal(snapshots.oldestCommitNumber(), 9);
    snapshots.unpin(young);
    assert.equal(snapshots.count, 0);
  });
});

describe('History', () => {
  it('answers for every open snapshot, and forgets versions that nobody sees', () => {
    const snapshots = new OpenSnapshots();
    const history = new History<string>();
    history.write(1, 'a', snapshots);
    const pin = snapshots.pin(1);
    for (let commit = 2; commit < 50; commit += 1) history.write(commit, `v${commit}`, snapshots);
    assert.equal(history.at(0), undefined);
    assert.equal(history.at(1), 'a');
    assert.equal(history.latest, 'v49');
    snapshots.unpin(pin);
  });
});

/** A step of the workload below: write or erase an entry, open or close a snapshot. */
const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'erase', 'open', 'close'),
  key: fc.integer({ min: 0, max: 12 }),
  recordId: fc.integer({ min: 1, max: 3 }),
  typeBits: fc.integer({ min: 0, max: 2 }),
});

describe('KeyTable', () => {
  it('shows every open snapshot the entries of its commit, in order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const snapshots = new OpenSnapshots();
        const table = new KeyTable({ bytes: 0 });
        const model = new Map<string, number>();
        const held: { pin: ReturnType<OpenSnapshots['pin']>; sees: Map<string, number> }[] = [];
        let commitNumber = 0;
        for (const { kind, key, recordId, typeBits } of steps) {
          const name = nameOf(keyBytes(key), recordId);
          if (kind === 'open') {
            held.push({ pin: snapshots.pin(commitNumber), sees: new Map(model) });
          } else if (kind === 'close') {
            const closed = held.shift();
            if (closed !== undefined) snapshots.unpin(closed.pin);
          } else if (kind === 'put' || model.has(name)) {
            commitNumber += 1;
            const present = kind === 'put';
            table.write(
              {
                key: keyBytes(key),
                typeBits: Buffer.alloc(typeBits, 7),
                whole: true,
                recordId,
                commitNumber,
                present,
                replaces: present && model.has(name),
              },
              snapshots,
            );
            if (present) model.set(name, typeBits);
            else model.delete(name);
          }
        }
        for (const { pin, sees } of held)
          assert.deepEqual(show(table, pin.commitNumber), inOrder(sees));
        assert.deepEqual(show(table, commitNumber), inOrder(model));
      }),
      { numRuns: 150 },
    );
  });

  it('keeps the order of many random entries, and gives the memory of erased ones back', () => {
    const memory = { bytes: 0 };
    const table = new KeyTable(memory);
    const snapshots = new OpenSnapshots();
    let commitNumber = 0;
    for (let value = 0; value < 200_000; value += 1) {
      const erased = keyBytes(value - 1);
      commitNumber += 1;
      if (value > 0) {
        table.write(
          {
            key: erased,
            typeBits: NO_BITS,
            whole: true,
            recordId: 1,
            commitNumber,
            present: false,
            replaces: false,
          },
          snapshots,
        );
      }
      table.write(
        {
          key: keyBytes(value),
          typeBits: NO_BITS,
          whole: true,
          recordId: 1,
          commitNumber,
          present: true,
          replaces: false,
        },
        snapshots,
      );
    }
    assert.equal(table.order.size, 1);
    assert.ok(memory.bytes < 1024 * 1024, 'the keys of erased entries went');
  });

  it('keeps the order of keys that begin alike, also when others come that do not, and of bounds beside them', () => {
    const part = fc.constantFrom('', 'a', 'b', '\u0000', 'zz', 'longer than six');
    const text = fc
      .tuple(fc.constantFrom('', 'group ', 'group x', 'grou', 'h', 'a'), part, part, part)
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 60 }), fc.array(text), (later, bounds) => {
        const snapshots = new OpenSnapshots();
        const table = new KeyTable({ bytes: 0 });
        // Enough of them for the table to see what they share.
        const alike = Array.from({ length: 520 }, (_, index) => `group ${(index * 7919) % 520}`);
        const expected: Buffer[] = [];
        for (const [index, name] of [...new Set([...alike, ...later])].entries()) {
          const key = Buffer.from(name);
          expected.push(key);
          const recordId = 1;
          const written = {
            key,
            typeBits: NO_BITS,
            whole: true,
            recordId,
            present: true,
            replaces: false,
          };
          table.write({ ...written, commitNumber: index + 1 }, snapshots);
        }
        expected.sort((a, b) => a.compare(b));
        const at: KeyPosition = { leaf: 0, position: 0 };
        for (const key of expected) {
          assert.deepEqual(table.key(table.order.rowAt(at)), key);
          table.order.forward(at);
        }
        for (const bound of bounds.map((name) => Buffer.from(name))) {
          table.find(bound, -1, at);
          const row = table.order.rowAt(at);
          const first = expected.find((key) => key.compare(bound) >= 0);
          assert.deepEqual(row === NO_ROW ? undefined : table.key(row), first);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('remembers that an entry which it takes away is there below', () => {
    const table = new KeyTable({ bytes: 0 });
    const snapshots = new OpenSnapshots();
    const entry = { key: keyBytes(1), typeBits: NO_BITS, whole: true, recordId: 1 };
    table.write({ ...entry, commitNumber: 1, present: false, replaces: false }, snapshots);
    table.write({ ...entry, commitNumber: 2, present: true, replaces: false }, snapshots);
    table.write({ ...entry, commitNumber: 3, present: false, replaces: false }, snapshots);
    assert.equal(table.order.size, 1);
    assert.equal(table.isPresent(table.newestRow(entry.key, 1)), false);
  });
});

describe('RecordTable', () => {
  it('drops a record that was inserted and deleted in one generation, once nobody sees it', () => {
    const generation = new Generation();
    const snapshots = new OpenSnapshots();
    const table = generation.recordsOf(20);
    const write = (
      recordId: number,
      commitNumber: number,
      text: string | undefined,
      created: boolean,
    ): void => {
      const bytes = Buffer.from(text ?? '');
      const slab = text === undefined ? TOMBSTONE : generation.slabs.allocate(bytes.length);
      if (slab !== TOMBSTONE)
        bytes.copy(generation.slabs.bytes(slab), generation.slabs.allocatedOffset);
      const offset = generation.slabs.allocatedOffset;
      table.write(
        recordId,
        { commitNumber, slab, offset, length: bytes.length, created },
        snapshots,
      );
    };
    write(7, 1, 'one', true);
    const pin = snapshots.pin(1);
    write(7, 2, undefined, false);
    const seen = table.visibleRow(7, 1);
    assert.equal(generation.rows.document(seen)?.toString(), 'one');
    assert.equal(generation.rows.document(table.visibleRow(7, 2)), undefined);
    snapshots.unpin(pin);
    write(8, 3, 'two', true);
    write(8, 4, undefined, false);
    assert.equal(table.newestRow(8), NO_ROW);
    // Without an insert here the deletion must stay: the record is in the base.
    write(9, 5, undefined, false);
    assert.notEqual(table.newestRow(9), NO_ROW);
  });
});

const NO_BITS = Buffer.alloc(0);

function keyBytes(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(Math.max(value, 0), 0, 6);
  return bytes;
}

function nameOf(key: Buffer, recordId: number): string {
  return `${key.toString('hex')} ${recordId}`;
}

function inOrder(entries: Map<string, number>): [string, number][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

function show(table: KeyTable, commitNumber: number): [string, number][] {
  const shown: [string, number][] = [];
  const at: KeyPosition = { leaf: 0, position: 0 };
  for (let newest = table.order.rowAt(at); newest !== NO_ROW; newest = table.order.rowAt(at)) {
    const row = table.visibleRow(newest, commitNumber);
    if (row !== NO_ROW && table.isPresent(row)) {
      shown.push([nameOf(table.key(row), table.recordId[row]), table.typeBits(row).length]);
    }
    table.order.forward(at);
  }
  return shown;
}
