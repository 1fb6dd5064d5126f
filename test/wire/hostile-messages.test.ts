/**
 * Whatever bytes come, the floor throws nothing but its two kinds of error.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandError, NetworkError } from '../../common/errors.ts';
import { SeededRandom, type Random } from '../../common/random.ts';
import {
  commandOfOpQuery,
  compressMessage,
  compressorByName,
  decompressMessage,
  encodeOpMsg,
  encodeOpQuery,
  encodeOpReply,
  MessageReader,
  parseMessage,
  validateOpMsg,
} from '../../wire/index.ts';
import { raw } from './documents.ts';
import { Peer } from './peer.ts';

/** What a server does with bytes, up to the point where a command would run. */
async function takeIn(bytes: Buffer): Promise<void> {
  const reader = new MessageReader();
  reader.push(bytes);
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    const { message } = await decompressMessage(next);
    const parsed = parseMessage(message);
    if (parsed.kind === 'msg') validateOpMsg(parsed);
    if (parsed.kind === 'query') commandOfOpQuery(parsed);
  }
}

/** @returns whether the bytes were refused. Any other error than CommandError fails the test. */
async function isRefused(bytes: Buffer): Promise<boolean> {
  try {
    await takeIn(bytes);
    return false;
  } catch (error) {
    if (error instanceof CommandError) return true;
    throw new Error(`${bytes.toString('hex')} gave another error`, { cause: error });
  }
}

const document = raw({ _id: 1, name: 'text', list: [1, 2, { a: 1n }], date: new Date(0) });
const insert = encodeOpMsg({
  requestId: 1,
  body: raw({ insert: 'c', ordered: true, lsid: { id: 7 }, $db: 'test' }),
  sequences: [{ identifier: 'documents', documents: [document, document] }],
});

const SEEDS: readonly Buffer[] = [
  insert,
  encodeOpMsg({ requestId: 2, body: raw({ ping: 1, $db: 'admin' }), checksum: true }),
  encodeOpMsg({ requestId: 3, body: raw({ find: 'c', filter: { a: { $gt: 1 } }, $db: 'test' }) }),
  encodeOpQuery({ requestId: 4, fullCollectionName: 'admin.$cmd', query: raw({ hello: 1 }) }),
  encodeOpReply({ requestId: 5, responseTo: 1, document }),
  ...['noop', 'snappy', 'zlib'].map((name) => {
    const wrapped = compressMessage(insert, compressorByName(name));
    assert.ok(Buffer.isBuffer(wrapped));
    return wrapped;
  }),
];

const INTERESTING = [0, 1, 4, 5, 0x7f, 0x80, 0xff, 0x7fff, 0x7fffffff, -1, -0x80000000, 48_000_000];

/** One to four changes: a byte, an int32, a cut, a repeated piece; the length field usually follows. */
function mutate(original: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1) {
    const offset = random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[offset] = random.below(256);
        break;
      case 1:
        if (offset + 4 > bytes.length) break;
        bytes.writeInt32LE(INTERESTING[random.below(INTERESTING.length)] ?? 0, offset);
        break;
      case 2:
        bytes = bytes.subarray(0, Math.max(20, offset));
        break;
      default:
        bytes = Buffer.concat([bytes, bytes.subarray(offset, offset + random.below(40))]);
    }
  }
  if (random.below(8) > 0) bytes.writeInt32LE(bytes.length, 0);
  return bytes;
}

describe('hostile bytes', () => {
  it('give nothing but CommandErrors: 20,000 mutations of good messages', async () => {
    const random = new SeededRandom(8141);
    let refused = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const seed = SEEDS[random.below(SEEDS.length)] ?? insert;
      if (await isRefused(mutate(seed, random))) refused += 1;
    }
    assert.ok(refused > 5000, `${refused} were refused`);
  });

  it('give nothing but CommandErrors: every good message cut at every place', async () => {
    for (const seed of SEEDS) {
      let accepted = 0;
      for (let length = 16; length < seed.length; length += 1) {
        const bytes = Buffer.from(seed.subarray(0, length));
        bytes.writeInt32LE(length, 0);
        if (!(await isRefused(bytes))) accepted += 1;
      }
      // A cut between body and sequence leaves a good message.
      assert.ok(accepted <= 1);
    }
  });

  it('give nothing but CommandErrors: random payloads under every opcode', async () => {
    const opCode = fc.constantFrom(1, 2004, 2012, 2013, 2010, 0, -1);
    await fc.assert(
      fc.asyncProperty(opCode, fc.uint8Array({ maxLength: 120 }), async (code, payload) => {
        const bytes = Buffer.concat([Buffer.alloc(16), payload]);
        bytes.writeInt32LE(bytes.length, 0);
        bytes.writeInt32LE(code, 12);
        await isRefused(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('give the asking side nothing but its reply or a NetworkError: 300 mutated replies', async () => {
    const random = new SeededRandom(1848);
    const peer = await Peer.listen((request) => {
      const reply = encodeOpMsg({
        requestId: 9,
        responseTo: request.message.requestId,
        body: raw({ ok: 1, cursor: { id: 0n, firstBatch: [{ a: 1 }] } }),
      });
      request.socket.end(mutate(reply, random));
    });
    for (let round = 0; round < 300; round += 1) {
      const connection = await peer.connect();
      const reply = connection.request(raw({ ping: 1, $db: 'admin' }));
      await reply.catch((error: unknown) => assert.ok(error instanceof NetworkError));
      connection.close();
    }
    await peer.close();
  });

  it('give nothing but CommandErrors: random bytes without any header', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        await isRefused(Buffer.from(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});
