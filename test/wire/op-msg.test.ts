import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError } from '../../common/errors.ts';
import { encodeOpMsg, endsConnection, parseOpMsg, validateOpMsg } from '../../wire/index.ts';
import { bodySection, opMsgOf, raw, sequenceSection, withHeader } from './documents.ts';

const ping = raw({ ping: 1, $db: 'admin' });

function assertRefused(message: Buffer, code: number, text: RegExp): void {
  assert.throws(
    () => parseOpMsg(message),
    (error) => error instanceof CommandError && error.code === code && text.test(error.message),
  );
}

describe('OP_MSG', () => {
  it('comes back as it was encoded, for all contents', () => {
    const document = fc
      .dictionary(
        fc.string({ maxLength: 5 }).filter((name) => !name.includes('\0')),
        fc.integer(),
      )
      .map(raw);
    const sequences = fc.uniqueArray(
      fc.record(
        {
          identifier: fc.constantFrom('documents', 'updates', 'ops', 'nsInfo', 'é'),
          documents: fc.array(document, { maxLength: 5 }),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 2, selector: (sequence) => sequence.identifier },
    );
    fc.assert(
      fc.property(
        fc.record({
          requestId: fc.integer(),
          responseTo: fc.integer(),
          body: document,
          sequences,
          moreToCome: fc.boolean(),
          exhaustAllowed: fc.boolean(),
          checksum: fc.boolean(),
        }),
        (contents) => {
          const message = encodeOpMsg(contents);
          const parsed = parseOpMsg(message);
          assert.equal(message.readInt32LE(0), message.length);
          assert.equal(parsed.requestId, contents.requestId);
          assert.equal(parsed.responseTo, contents.responseTo);
          assert.deepEqual(parsed.body, contents.body);
          assert.deepEqual(parsed.sequences, contents.sequences);
          assert.equal(parsed.moreToCome, contents.moreToCome);
          assert.equal(parsed.exhaustAllowed, contents.exhaustAllowed);
          assert.equal(parsed.checksumPresent, contents.checksum);
        },
      ),
    );
  });

  it('has the bytes that docs/format/wire.md shows', () => {
    const message = encodeOpMsg({ requestId: 7, body: raw({ ping: 1 }), checksum: true });
    assert.equal(
      message.toString('hex'),
      '28000000' +
        '07000000' +
        '00000000' +
        'dd070000' +
        '01000000' +
        '00' +
        '0f0000001070696e67000100000000' +
        '17727cf4',
    );
  });

  it('accepts its sections in any order', () => {
    const documents = [raw({ _id: 1 }), raw({ _id: 2 })];
    const parsed = parseOpMsg(
      opMsgOf(0, sequenceSection('documents', documents), bodySection(ping)),
    );
    assert.deepEqual(parsed.body, ping);
    assert.deepEqual(parsed.sequences, [{ identifier: 'documents', documents }]);
  });

  it('accepts an empty document sequence', () => {
    const parsed = parseOpMsg(opMsgOf(0, bodySection(ping), sequenceSection('documents', [])));
    assert.deepEqual(parsed.sequences, [{ identifier: 'documents', documents: [] }]);
  });

  it('ignores optional flags that it does not know', () => {
    assert.equal(parseOpMsg(opMsgOf(0x8000_0000, bodySection(ping))).flags, 0x8000_0000);
  });

  it('refuses every required flag that it does not know', () => {
    for (let bit = 2; bit < 16; bit += 1) {
      assertRefused(opMsgOf(1 << bit, bodySection(ping)), 223, /illegal flags value: Ob0*10*$/);
    }
  });

  it('refuses a changed byte anywhere in a message with a checksum', () => {
    const whole = encodeOpMsg({ requestId: 7, body: ping, checksum: true });
    for (let offset = 20; offset < whole.length; offset += 1) {
      const damaged = Buffer.from(whole);
      damaged[offset] = (damaged[offset] ?? 0) ^ 0x10;
      assertRefused(damaged, 288, /checksum does not match/);
    }
  });

  it('refuses a checksum without anything before it', () => {
    assertRefused(opMsgOf(1, Buffer.alloc(4)), 51251, /Invalid message size/);
    assertRefused(opMsgOf(1), 51251, /Invalid message size/);
  });

  it('refuses a message too short for its flags', () => {
    assertRefused(withHeader(Buffer.alloc(3), { opCode: 2013 }), 17, /too short/);
  });

  it('refuses a message without a body, or with two', () => {
    assertRefused(opMsgOf(0), 40587, /must have a body/);
    assertRefused(opMsgOf(0, bodySection(ping), bodySection(ping)), 40430, /Multiple body/);
  });

  it('refuses sections of a kind that it does not know', () => {
    assertRefused(opMsgOf(0, bodySection(ping), Buffer.from([9])), 40432, /Unknown section kind 9/);
    assertRefused(opMsgOf(0, bodySection(ping), Buffer.from([2])), 13, /Security Token/);
  });

  it('refuses a second sequence of the same name, and a third of any', () => {
    const section = (name: string) => sequenceSection(name, [raw({})]);
    assertRefused(
      opMsgOf(0, bodySection(ping), section('ops'), section('ops')),
      40431,
      /Duplicate document sequence: ops/,
    );
    assertRefused(
      opMsgOf(0, bodySection(ping), section('a'), section('b'), section('c')),
      233,
      /Too many document sequences/,
    );
  });

  for (const claimed of [-1, 0, 4, 8, 1000, 0x7fffffff]) {
    it(`refuses a sequence that claims ${claimed} bytes`, () => {
      const section = sequenceSection('documents', [raw({ a: 1 })], claimed);
      assert.throws(() => parseOpMsg(opMsgOf(0, bodySection(ping), section)), CommandError);
    });
  }

  for (const claimed of [-1, 0, 4, 1000, 0x7fffffff]) {
    it(`refuses a body that claims ${claimed} bytes`, () => {
      const body = raw({ ping: 1 });
      body.writeInt32LE(claimed, 0);
      assertRefused(opMsgOf(0, bodySection(body)), 22, /document/);
    });
  }

  it('refuses more documents than a write batch has, without making a Buffer for each', () => {
    const section = sequenceSection('documents', [Buffer.concat(Array(100_001).fill(raw({})))]);
    assertRefused(
      opMsgOf(0, bodySection(ping), section),
      16,
      /must be between 1 and 100000. Got 100001 operations/,
    );
  });

  it('will not encode more than 48,000,000 bytes', () => {
    const large = Buffer.alloc(16_000_000);
    const sequences = [{ identifier: 'documents', documents: [large, large, large] }];
    assert.throws(() => encodeOpMsg({ requestId: 1, body: ping, sequences }), CommandError);
  });

  it('ends the connection for what MongoDB calls fatal, and only for that', () => {
    const codes = [223, 233, 288, 17].map((code) => new CommandError(code, ''));
    assert.ok(codes.every(endsConnection));
    const others = [22, 40430, 40587, 16].map((code) => new CommandError(code, ''));
    assert.ok(!others.some(endsConnection));
  });

  it('validates body and sequences on request', () => {
    validateOpMsg(parseOpMsg(encodeOpMsg({ requestId: 1, body: ping })));
    const bad = raw({ a: 'text' });
    bad[4] = 0x77;
    const inBody = parseOpMsg(encodeOpMsg({ requestId: 1, body: bad }));
    assert.throws(() => validateOpMsg(inBody), CommandError);
    const sequences = [{ identifier: 'documents', documents: [bad] }];
    const inSequence = parseOpMsg(encodeOpMsg({ requestId: 1, body: ping, sequences }));
    assert.throws(() => validateOpMsg(inSequence), CommandError);
  });

  it('refuses a field that stands in the body and in a sequence', () => {
    const sequences = [{ identifier: 'documents', documents: [raw({})] }];
    const body = raw({ insert: 'c', documents: [], $db: 'd' });
    const parsed = parseOpMsg(encodeOpMsg({ requestId: 1, body, sequences }));
    assert.throws(
      () => validateOpMsg(parsed),
      (error) => error instanceof CommandError && error.code === 40433,
    );
  });
});
