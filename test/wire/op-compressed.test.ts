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
  prepareCompressors,
} from '../../wire/index.ts';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';
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
  before(async () => {
    assert.deepEqual(await prepareCompressors(['zstd']), ['zstd']);
    zstd = await ZstdLibrary.load();
  });
  let zstd: ZstdLibrary;

  for (const name of ['noop', 'snappy', 'zlib', 'zstd']) {
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
    const frame = zstd.compress(Buffer.alloc(1000));
    await assertRefused(compressed(frame, { compressorId: 3, bytes: 40_000_000 }), /form allows/);
  });

  for (const bytes of [999, 1001, 0]) {
    it(`refuses 1000 bytes that claim to be ${bytes}`, async () => {
      const plain = Buffer.alloc(1000, 5);
      await assertRefused(compressed(plain, { compressorId: 0, bytes }), /./);
      await assertRefused(compressed(compressSync(plain), { compressorId: 1, bytes }), /./);
      await assertRefused(compressed(deflateSync(plain), { compressorId: 2, bytes }), /./);
      await assertRefused(compressed(zstd.compress(plain), { compressorId: 3, bytes }), /./);
    });
  }

  it('stops a bomb at its claimed size, also off the event loop', async () => {
    const bomb = deflateSync(Buffer.alloc(60_000_000));
    await assertRefused(compressed(bomb, { compressorId: 2, bytes: 100 }), /not be decompressed/);
    await assertRefused(
      compressed(bomb, { compressorId: 2, bytes: 200_000 }),
      /not be decompressed/,
    );
    const frame = zstd.compress(Buffer.alloc(40_000_000));
    for (const bytes of [100, 100_000, 300_000, 39_999_999]) {
      await assertRefused(compressed(frame, { compressorId: 3, bytes }), /not be decompressed/);
    }
  });

  it('decompresses the largest message with zstd, and goes on after a damaged one', async () => {
    const plain = Buffer.alloc(47_999_984, 'flint');
    const frame = zstd.compress(plain);
    const message = compressed(frame, { compressorId: 3, bytes: plain.length });
    const damaged = Buffer.from(message);
    damaged[damaged.length - 9] ^= 0xff;
    const refusal = assertRefused(damaged, /not be decompressed|less data/);
    const whole = await decompressMessage(message);
    assert.ok(whole.message.subarray(16).equals(plain));
    await refusal;
  });

  it('refuses what is no zstd frame', async () => {
    for (const text of ['', 'x', '(\xb5/\xfd', 'some text that is no frame']) {
      const data = Buffer.from(text, 'latin1');
      await assertRefused(compressed(data, { compressorId: 3, bytes: 20 }), /./);
    }
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

  it('refuses unknown ids by their number, and unknown names', async () => {
    await assertRefused(compressed(Buffer.alloc(9), { compressorId: 200, bytes: 1 }), /: 200/);
    assert.throws(() => compressorByName('lzma'), /Invalid network message compressor: lzma/);
  });

  it('refuses a compressor that was not agreed on', async () => {
    const wrapped = await compressMessage(small, compressorById(2));
    assert.throws(() => decompressMessage(wrapped, ['snappy']), /not negotiated/);
    assert.throws(() => decompressMessage(wrapped, []), /not negotiated/);
  });

  it('agrees on what both ends know, in the order of the client', () => {
    assert.deepEqual(negotiateCompressors(['lzma', 'zlib', 'snappy', 'zlib']), ['zlib', 'snappy']);
    assert.deepEqual(negotiateCompressors(['zstd', 'noop']), ['zstd']);
    assert.deepEqual(negotiateCompressors(['snappy'], ['zlib']), []);
  });
});
