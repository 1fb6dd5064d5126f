/**
 * The official driver and this floor understand each other: handshake by OP_QUERY, commands by OP_MSG, compression.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { deserialize } from 'bson';
import { MongoClient } from 'mongodb';
import {
  commandOfOpQuery,
  compressMessage,
  decompressMessage,
  encodeOpMsg,
  encodeOpReply,
  MessageReader,
  parseMessage,
  validateOpMsg,
  type CompressorName,
} from '../../wire/index.ts';
import { raw } from './documents.ts';

/** What a server saw of one command. */
interface Seen {
  readonly command: Record<string, unknown>;
  readonly compressor: CompressorName | undefined;
  readonly documents: number;
}

const HELLO = {
  isWritablePrimary: true,
  ismaster: true,
  helloOk: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 25,
  ok: 1,
};

/** @returns the reply to one message of the driver. */
async function answer(bytes: Buffer, seen: Seen[], compression: string[]): Promise<Buffer> {
  const { message, compressor } = await decompressMessage(bytes);
  const request = parseMessage(message);
  const { requestId } = request;
  const hello = raw({ ...HELLO, compression });
  if (request.kind === 'query') {
    commandOfOpQuery(request);
    return encodeOpReply({ requestId: 1, responseTo: requestId, document: hello });
  }
  assert.ok(request.kind === 'msg');
  validateOpMsg(request);
  const command = deserialize(request.body);
  const isHello = 'hello' in command;
  const [sequence] = request.sequences;
  const documents = sequence?.documents.length ?? 0;
  if (!isHello) seen.push({ command, compressor: compressor?.name, documents });
  const body = isHello ? hello : raw({ ok: 1, n: documents });
  const reply = encodeOpMsg({ requestId: 1, responseTo: requestId, body });
  return compressor === undefined ? reply : compressMessage(reply, compressor);
}

async function serve(seen: Seen[], compression: string[]): Promise<Server> {
  const server = createServer((socket: Socket) => {
    const reader = new MessageReader();
    let answering = Promise.resolve();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      for (let next = reader.next(); next !== undefined; next = reader.next()) {
        const bytes = next;
        answering = answering
          .then(() => answer(bytes, seen, compression))
          .then((reply) => void socket.write(reply))
          .catch(() => void socket.destroy());
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('the official driver', () => {
  for (const compressor of ['snappy', 'zlib', undefined] as const) {
    it(`is understood with ${compressor ?? 'no'} compression`, async () => {
      const seen: Seen[] = [];
      const server = await serve(seen, compressor === undefined ? [] : [compressor]);
      const address = server.address();
      assert.ok(address !== null && typeof address !== 'string');
      const client = new MongoClient(`mongodb://127.0.0.1:${address.port}/`, {
        serverSelectionTimeoutMS: 3000,
        ...(compressor === undefined ? {} : { compressors: [compressor] }),
      });
      const text = 'some text '.repeat(2000);
      await client.db('test').command({ ping: 1, comment: text });
      const documents = Array.from({ length: 200 }, (_, n) => ({ n, text: text.slice(0, 5000) }));
      await client.db('test').collection('c').insertMany(documents);
      await client.close();
      server.close();
      const [ping, insert] = seen;
      assert.equal(ping?.command['comment'], text);
      assert.equal(ping?.compressor, compressor);
      const inBody = insert?.command['documents'];
      assert.equal(Array.isArray(inBody) ? inBody.length : insert?.documents, 200);
    });
  }
});
