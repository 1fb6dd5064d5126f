import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError } from '../../common/errors.ts';
import { MessageReader } from '../../wire/index.ts';
import { withHeader } from './documents.ts';

/** All messages that a reader gives for these chunks. */
function readAll(reader: MessageReader, chunks: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next);
  }
  return messages;
}

/** Cuts a stream at the given places (taken modulo its length). */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (stream.length + 1)).toSorted((a, b) => a - b);
  const edges = [0, ...sorted, stream.length];
  // A socket hands out memory of its own for every chunk.
  return edges.slice(1).map((end, index) => Buffer.from(stream.subarray(edges[index], end)));
}

const message = (payloadBytes: number): Buffer =>
  withHeader(Buffer.alloc(payloadBytes, 7), { opCode: 2013 });

describe('MessageReader', () => {
  it('gives the same messages however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (payloads, places) => {
          const sent = payloads.map((payload) =>
            withHeader(Buffer.from(payload), { opCode: 2013 }),
          );
          const reader = new MessageReader();
          const received = readAll(reader, cut(Buffer.concat(sent), places));
          assert.deepEqual(received, sent);
          assert.equal(reader.bufferedBytes, 0);
        },
      ),
    );
  });

  it('gives a message that came in single bytes', () => {
    const sent = message(40);
    const bytes = [...sent].map((byte) => Buffer.from([byte]));
    assert.deepEqual(readAll(new MessageReader(), bytes), [sent]);
  });

  it('gives a message of one chunk as a view into it', () => {
    const chunk = Buffer.concat([message(10), message(20)]);
    const [first, second] = readAll(new MessageReader(), [chunk]);
    assert.equal(first?.buffer, chunk.buffer);
    assert.equal(second?.buffer, chunk.buffer);
  });

  it('never writes to a message again that it handed out', () => {
    const reader = new MessageReader();
    const stream = Buffer.concat([message(100_000), message(100_000)]);
    const [first] = readAll(reader, cut(stream, [60_000, 120_000]));
    readAll(reader, cut(withHeader(Buffer.alloc(100_000, 9), { opCode: 2013 }), [50_000]));
    assert.deepEqual(first, message(100_000));
  });

  it('puts together a message longer than what it trusts', () => {
    const sent = message(5_000_000);
    for (let offset = 16; offset < sent.length; offset += 1) sent[offset] = offset % 251;
    const places = Array.from({ length: 80 }, (_, index) => index * 65_536);
    assert.deepEqual(readAll(new MessageReader(), cut(sent, places)), [sent]);
  });

  it('takes a message of exactly the largest length', () => {
    const reader = new MessageReader(1000);
    assert.equal(readAll(reader, [message(984)]).length, 1);
    assert.throws(() => readAll(reader, [message(985)]), /message length 1001 is invalid/);
  });

  for (const length of [0, 15, -1, 48_000_001, 0x7fffffff, -0x80000000]) {
    it(`refuses the length ${length} as soon as the header is there`, () => {
      const header = withHeader(Buffer.alloc(0), { opCode: 2013, length });
      assert.throws(
        () => readAll(new MessageReader(), [header]),
        (error) => error instanceof CommandError && error.codeName === 'ProtocolError',
      );
    });
  }

  it('waits for the whole header before it judges', () => {
    const reader = new MessageReader();
    reader.push(Buffer.alloc(15, 0xff));
    assert.equal(reader.next(), undefined);
    assert.equal(reader.bufferedBytes, 15);
  });

  it('holds little memory for a peer that only announces long messages', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => {
      const reader = new MessageReader();
      reader.push(withHeader(Buffer.alloc(100), { opCode: 2013, length: 48_000_000 }));
      assert.equal(reader.next(), undefined);
      return reader;
    });
    const perReader = (process.memoryUsage().arrayBuffers - before) / readers.length;
    assert.ok(perReader < 4_000_000, `${perReader} bytes`);
  });
});
