import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BSON } from 'mongodb';
import { CorruptionError } from '../../../common/errors.ts';
import type { CommitNumber, RecordId } from '../../../storage/contract.ts';
import {
  journalEntryBytes,
  readJournalEntry,
  writeJournalEntry,
  type JournalOperation,
  type JournalStamp,
} from '../../../storage/format/journal-entry.ts';
import { hexDump, matchGolden } from '../../support/golden.ts';

const STAMP: JournalStamp = {
  timestamp: { seconds: 1_700_000_000, increment: 7 },
  term: 3,
  wallMs: 1_700_000_000_123,
  commitNumber: 4_294_967_301 as CommitNumber,
};

const UUID = Buffer.from('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', 'hex');

const EVERY_FIELD: JournalOperation = {
  op: 'u',
  ui: UUID,
  rid: 8_589_934_595 as RecordId,
  o: document({ _id: 1, a: 2 }),
  o2: document({ _id: 1 }),
  lsid: document({ id: 'session' }),
  txnNumber: 4_294_967_296,
  stmtId: -1,
  prevOpTime: document({ ts: 1 }),
  fromMigrate: true,
  preImage: document({ _id: 1, a: 1 }),
  postImage: document({ _id: 1, a: 2 }),
};

function document(value: object): Buffer {
  return Buffer.from(BSON.serialize(value));
}

function encode(operation: JournalOperation, last = true): Buffer {
  const bytes = Buffer.alloc(journalEntryBytes(operation, last) + 10, 0xee);
  const end = writeJournalEntry(bytes, 5, operation, STAMP, last);
  assert.equal(end, bytes.length - 5);
  assert.equal(bytes[end], 0xee);
  return bytes.subarray(5, end);
}

describe('journal entry', () => {
  it('is a BSON document with fields named as in an oplog, in a fixed order', () => {
    const entry = BSON.deserialize(encode(EVERY_FIELD), { promoteLongs: false });
    assert.deepEqual(Object.keys(entry), [
      'ts',
      't',
      'v',
      'op',
      'wall',
      'cn',
      'ui',
      'rid',
      'o',
      'o2',
      'lsid',
      'txnNumber',
      'stmtId',
      'prevOpTime',
      'fromMigrate',
      'preImage',
      'postImage',
    ]);
    assert.deepEqual(entry['ts'], new BSON.Timestamp({ t: 1_700_000_000, i: 7 }));
    assert.deepEqual(entry['t'], BSON.Long.fromNumber(3));
    assert.deepEqual(entry['v'], BSON.Long.fromNumber(2));
    assert.equal(entry['op'], 'u');
    assert.deepEqual(entry['wall'], new Date(1_700_000_000_123));
    assert.deepEqual(entry['cn'], BSON.Long.fromNumber(4_294_967_301));
    assert.deepEqual(entry['ui'], new BSON.UUID(UUID));
    assert.deepEqual(entry['rid'], BSON.Long.fromNumber(8_589_934_595));
    assert.equal(entry['stmtId'], -1);
    assert.equal(entry['fromMigrate'], true);
  });

  it('comes back as it was written, with every field and with the fewest', () => {
    for (const operation of [EVERY_FIELD, { op: 'n', o: document({ msg: 'hello' }) } as const]) {
      const bytes = encode(operation);
      const entry = readJournalEntry(bytes, 0);
      const { bytes: whole, ts, t, wallMs, cn, ...fields } = entry;
      assert.ok(whole.equals(bytes));
      assert.deepEqual(ts, STAMP.timestamp);
      assert.deepEqual([t, wallMs, cn], [STAMP.term, STAMP.wallMs, STAMP.commitNumber]);
      const present = Object.entries(fields).filter(([, value]) => value !== undefined);
      assert.deepEqual(Object.fromEntries(present), operation);
    }
  });

  it('has a commit number only when it is the last of its commit', () => {
    assert.equal(readJournalEntry(encode(EVERY_FIELD, false), 0).cn, undefined);
  });

  it('comes back whichever fields are there', () => {
    const optional = ['ui', 'rid', 'o2', 'lsid', 'txnNumber', 'stmtId', 'prevOpTime'] as const;
    const images = ['fromMigrate', 'preImage', 'postImage'] as const;
    fc.assert(
      fc.property(fc.subarray([...optional, ...images]), fc.boolean(), (names, last) => {
        const operation: JournalOperation = {
          op: 'd',
          o: document({ _id: 9 }),
          ...Object.fromEntries(names.map((name) => [name, EVERY_FIELD[name]])),
        };
        const entry = readJournalEntry(encode(operation, last), 0);
        for (const name of [...optional, ...images]) assert.deepEqual(entry[name], operation[name]);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused when it is not one: changed names, lengths, kinds, and trailing fields', () => {
    const whole = encode(EVERY_FIELD);
    const damages: ((bytes: Buffer) => Buffer | void)[] = [
      (bytes) => void bytes.writeUInt32LE(bytes.length - 1, 0),
      (bytes) => void bytes.writeUInt32LE(bytes.length + 1, 0),
      (bytes) => void bytes.write('TS', 5, 'latin1'),
      (bytes) => void bytes.write('x', bytes.indexOf('op\0') + 7, 'latin1'),
      (bytes) => void bytes.write('O', bytes.indexOf('o\0'), 'latin1'),
      (bytes) => void bytes.write('postimage', bytes.indexOf('postImage'), 'latin1'),
      (bytes) => bytes.subarray(0, 40),
    ];
    for (const damage of damages) {
      const bytes = Buffer.from(whole);
      const damaged = damage(bytes) ?? bytes;
      assert.throws(() => readJournalEntry(damaged, 0), CorruptionError);
    }
  });

  it('has the bytes that it always had', () => {
    matchGolden('storage/journal-entry.txt', hexDump(encode(EVERY_FIELD)));
  });
});
