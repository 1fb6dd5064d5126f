import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { CommandError } from '../../common/errors.ts';
import {
  compressMessage,
  compressorById,
  compressorByName,
  decompressMessage,
  encodeOpMsg,
  negotiateCompressors,
} from '../../wire/index.ts';
import { raw, withHeader } from './documents.ts';

function compressed(
  data: Buffer,
  claim: { compressorId: number; bytes: number; opCode?: number },
): Buffer {
  const head = Buffer.alloc(9);
  head.writeInt32LE(claim.opCode ?? 2013, 0);
  head.writeInt32LE(claim.bytes, 4);
  head[8] = claim.compressorId;
  return withHeader(Buffer.concat([head, data]), { opCode: 2012 });
}

async function assertRefused(message: Buffer, text: RegExp): Promise<void> {
  await assert.rejects(
    async () => decompressMessage(message),
    (error) => error instanceof CommandError && text.test(error.message),
  );
}

const small = encodeOpMsg({
  requestId: 77,
  responseTo: 66,
  body: raw({ insert: 'c', text: 'abc'.repeat(300) }),
});
const large = encodeOpMsg({ requestId: 78, body: raw({ text: 'abcdef'.repeat(300_000) }) });

describe('OP_COMPRESSED', () => {
  for (const name of ['noop', 'snappy', 'zlib']) {
    it(`gives back every message that went through ${name}`, async () => {
      const compressor = compressorByName(name);
      for (const message of [small, large]) {
        const wrapped = await compressMessage(message, compressor);
        const plain = await decompressMessage(wrapped);
        assert.deepEqual(plain.message, message);
        assert.equal(plain.compressor, compressor);
      }
    });
  }

  it('does small messages at once and large ones off the event loop', () => {
    const zlib = compressorByName('zlib');
    assert.ok(Buffer.isBuffer(compressMessage(small, zlib)));
    assert.ok(compressMessage(large, zlib) instanceof Promise);
    assert.ok(compressMessage(large, compressorByName('snappy')) instanceof Promise);
  });

  it('leaves other messages as they are', async () => {
    const plain = await decompressMessage(small);
    assert.equal(plain.message, small);
    assert.equal(plain.compressor, undefined);
  });

  it('wraps what gets no shorter, too: a compressed request has a compressed reply', async () => {
    const tiny = encodeOpMsg({ requestId: 1, body: raw({ a: 1 }) });
    const wrapped = await compressMessage(tiny, compressorByName('zlib'));
    assert.notEqual(wrapped, tiny);
    assert.deepEqual((await decompressMessage(wrapped)).message, tiny);
  });

  it('refuses a claim beyond the largest message', async () => {
    const message = compressed(deflateSync(Buffer.alloc(100)), {
      compressorId: 2,
      bytes: 47_999_985,
    });
    await assertRefused(message, /larger than maximum message size/);
    await assertRefused(compressed(Buffer.alloc(9), { compressorId: 2, bytes: -1 }), /negative/);
  });

  it('refuses a claim that the algorithm cannot keep, before allocating', async () => {
    const data = deflateSync(Buffer.alloc(1000));
    await assertRefused(compressed(data, { compressorId: 2, bytes: 40_000_000 }), /form allows/);
    const block = compressSync(Buffer.alloc(1000));
    await assertRefused(compressed(block, { compressorId: 1, bytes: 40_000_000 }), /form allows/);
  });

  for (const bytes of [999, 1001, 0]) {
    it(`refuses 1000 bytes that claim to be ${bytes}`, async () => {
      const plain = Buffer.alloc(1000, 5);
      await assertRefused(compressed(plain, { compressorId: 0, bytes }), /./);
      await assertRefused(compressed(compressSync(plain), { compressorId: 1, bytes }), /./);
      await assertRefused(compressed(deflateSync(plain), { compressorId: 2, bytes }), /./);
    });
  }

  it('stops a bomb at its claimed size, also off the event loop', async () => {
    const bomb = deflateSync(Buffer.alloc(60_000_000));
    await assertRefused(compressed(bomb, { compressorId: 2, bytes: 100 }), /not be decompressed/);
    await assertRefused(
      compressed(bomb, { compressorId: 2, bytes: 200_000 }),
      /not be decompressed/,
    );
  });

  it('refuses a compressed message inside a compressed message', async () => {
    const message = compressed(small.subarray(16), { compressorId: 0, bytes: 5, opCode: 2012 });
    await assertRefused(message, /may not be compressed again/);
  });

  it('refuses a message too short for its fixed part', async () => {
    await assertRefused(
      withHeader(Buffer.alloc(8), { opCode: 2012 }),
      /Invalid compressed message/,
    );
  });

  it('refuses zstd by its name, and unknown ids by their number', async () => {
    await assertRefused(compressed(Buffer.alloc(9), { compressorId: 3, bytes: 1 }), /zstd \(3\)/);
    await assertRefused(compressed(Buffer.alloc(9), { compressorId: 200, bytes: 1 }), /: 200/);
    assert.throws(() => compressorByName('zstd'), /zstd is not built in/);
    assert.throws(() => compressorByName('lzma'), /Invalid network message compressor: lzma/);
  });

  it('refuses a compressor that was not agreed on', async () => {
    const wrapped = await compressMessage(small, compressorById(2));
    assert.throws(() => decompressMessage(wrapped, ['snappy']), /not negotiated/);
    assert.throws(() => decompressMessage(wrapped, []), /not negotiated/);
  });

  it('agrees on what both ends know, in the order of the client', () => {
    assert.deepEqual(negotiateCompressors(['zstd', 'zlib', 'snappy', 'zlib']), ['zlib', 'snappy']);
    assert.deepEqual(negotiateCompressors(['snappy'], ['zlib']), []);
  });
});
