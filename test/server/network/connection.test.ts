import assert from 'node:assert/strict';
import { deserialize, serialize } from 'bson';
import { setTimeout as wait } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import {
  compressMessage,
  compressorByName,
  decompressMessage,
  parseMessage,
} from '../../../wire/index.ts';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/network: connection', () => {
  let test: TestServer;
  const clients: RawClient[] = [];

  const open = async (): Promise<RawClient> => {
    const client = await RawClient.open(test.port);
    clients.push(client);
    return client;
  };

  before(async () => {
    test = await startTestServer();
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  after(() => test.stop());

  it('answers the official driver', async () => {
    const client = await MongoClient.connect(test.uri);
    const reply = await client.db('admin').command({ ping: 1 });
    assert.deepEqual(reply, { ok: 1 });
    await client.close();
  });

  it('answers pipelined requests in order, though one of them takes long', async () => {
    const client = await open();
    const ids = [
      client.send({ slowEcho: 1, ms: 50, value: 'first', $db: 'test' }),
      client.send({ ping: 1, $db: 'admin' }),
      client.send({ slowEcho: 1, ms: 0, value: 'third', $db: 'test' }),
    ];
    const replies = [await client.reply(), await client.reply(), await client.reply()];
    assert.deepEqual(
      replies.map((reply) => reply.responseTo),
      ids,
    );
    assert.equal(replies[2]?.document['value'], 'third');
  });

  it('answers several hundred pipelined requests sent in one chunk', async () => {
    const client = await open();
    const messages = Array.from({ length: 500 }, () => client.encode({ ping: 1, $db: 'admin' }));
    client.socket.write(Buffer.concat(messages));
    for (let count = 0; count < 500; count += 1) {
      const reply = await client.reply();
      assert.equal(reply.responseTo, count + 1);
    }
  });

  it('answers a request that arrives byte by byte', async () => {
    const client = await open();
    for (const byte of client.encode({ ping: 1, $db: 'admin' })) {
      client.socket.write(Buffer.of(byte));
      await wait(0);
    }
    assert.equal((await client.reply()).document['ok'], 1);
  });

  it('sends no reply to a request with moreToCome, but runs it', async () => {
    const client = await open();
    client.send({ slowEcho: 1, $db: 'test' }, { moreToCome: true });
    client.send({ nonsense: 1, $db: 'test' }, { moreToCome: true });
    const id = client.send({ ping: 1, $db: 'admin' });
    assert.equal((await client.reply()).responseTo, id);
  });

  it('gives a checksum back to whoever sent one', async () => {
    const client = await open();
    client.send({ ping: 1, $db: 'admin' }, { checksum: true });
    const reply = await client.reply();
    assert.equal(reply.checksumPresent, true);
  });

  for (const name of ['snappy', 'zlib', 'zstd']) {
    for (const bytes of [10_000, 3_000_000]) {
      it(`answers a request of ${bytes} bytes, compressed with ${name}, with a reply like it`, async () => {
        const client = await open();
        const hello = { hello: 1, $db: 'admin', compression: [name, 'unknown'] };
        assert.deepEqual((await client.run(hello))['compression'], [name]);
        const request = client.encode({ large: 1, bytes, comment: 'x'.repeat(bytes), $db: 'test' });
        client.socket.write(await compressMessage(request, compressorByName(name)));
        const raw = await client.message();
        assert.ok(raw !== undefined);
        const { message, compressor } = await decompressMessage(raw);
        assert.equal(compressor?.name, name);
        const parsed = parseMessage(message);
        assert.equal(parsed.kind, 'msg');
        assert.equal(parsed.kind === 'msg' && deserialize(parsed.body)['text'].length, bytes);
      });
    }
  }

  it('agrees on compressors in the order of the client', async () => {
    const client = await open();
    const compression = ['zlib', 'zstd', 'zlib', 'snappy'];
    const greeting = await client.run({ hello: 1, $db: 'admin', compression });
    assert.deepEqual(greeting['compression'], ['zlib', 'zstd', 'snappy']);
  });

  it('ends the connection of a zstd bomb, and answers others', async () => {
    const client = await open();
    await client.run({ hello: 1, $db: 'admin', compression: ['zstd'] });
    const bomb = Buffer.alloc(16 + 47_000_000);
    const frame = await compressMessage(bomb, compressorByName('zstd'));
    // It claims a tenth of what it is.
    frame.writeInt32LE(2013, 16);
    frame.writeInt32LE(4_700_000, 20);
    client.socket.write(frame);
    await client.closed;
    assert.equal((await (await open()).run({ ping: 1, $db: 'admin' }))['ok'], 1);
  });

  it('ends a connection that uses a compressor it did not agree on', async () => {
    const client = await open();
    const message = client.encode({ ping: 1, $db: 'admin' });
    client.socket.write(await compressMessage(message, compressorByName('noop')));
    await client.closed;
  });

  it('streams hello to a client that allows exhaust', async () => {
    const client = await open();
    const first = await client.run({ hello: 1, $db: 'admin' });
    const id = client.send(
      { hello: 1, topologyVersion: first['topologyVersion'], maxAwaitTimeMS: 30, $db: 'admin' },
      { exhaustAllowed: true },
    );
    const second = await client.reply();
    const third = await client.reply();
    assert.equal(second.responseTo, id);
    assert.equal(second.moreToCome, true);
    assert.equal(third.responseTo, second.requestId);
    assert.equal(third.document['isWritablePrimary'], true);
  });

  it('runs one exhaust exchange for a driver that monitors by streaming', async () => {
    const client = new MongoClient(test.uri, {
      heartbeatFrequencyMS: 500,
      serverMonitoringMode: 'stream',
    });
    await client.connect();
    await wait(100);
    assert.equal((await client.db('admin').command({ ping: 1 }))['ok'], 1);
    await client.close();
  });

  it('answers the handshake of old drivers by OP_QUERY, and no other command', async () => {
    const client = await open();
    const query = (id: number, command: object): Buffer => {
      const body = Buffer.from(serialize(command));
      const name = Buffer.from('admin.$cmd\0');
      const message = Buffer.alloc(16 + 4 + name.length + 8 + body.length);
      message.writeInt32LE(message.length, 0);
      message.writeInt32LE(id, 4);
      message.writeInt32LE(2004, 12);
      name.copy(message, 20);
      message.writeInt32LE(-1, 20 + name.length + 4);
      body.copy(message, 20 + name.length + 8);
      return message;
    };
    client.socket.write(query(7, { isMaster: 1, helloOk: true }));
    const reply = parseMessage((await client.message()) ?? Buffer.alloc(0));
    assert.equal(reply.kind, 'reply');
    const document = reply.kind === 'reply' && deserialize(reply.documents[0] ?? Buffer.alloc(0));
    assert.equal(document !== false && document['ismaster'], true);
    assert.equal(document !== false && document['helloOk'], true);
    client.socket.write(query(8, { find: 'x' }));
    const refusal = parseMessage((await client.message()) ?? Buffer.alloc(0));
    const error = refusal.kind === 'reply' && deserialize(refusal.documents[0] ?? Buffer.alloc(0));
    assert.equal(error !== false && error['code'], 352);
  });

  it('tells a browser what it met', async () => {
    const client = await open();
    client.socket.removeAllListeners('data');
    const chunks: Buffer[] = [];
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    client.socket.write('GET / HTTP/1.1\r\n\r\n');
    await client.closed;
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.0 200 OK[^]*native driver port/);
  });

  it('answers a bug in a command with InternalError, and goes on', async () => {
    const client = await open();
    const reply = await client.run({ fail: 1, $db: 'test' });
    assert.deepEqual(
      { ok: reply['ok'], code: reply['code'], codeName: reply['codeName'] },
      { ok: 0, code: 1, codeName: 'InternalError' },
    );
    assert.equal((await client.run({ ping: 1, $db: 'admin' }))['ok'], 1);
  });

  it('interrupts the running operation of a client that vanishes, and releases its snapshot', async () => {
    const client = await open();
    client.send({ spin: 1, $db: 'test' });
    await wait(30);
    assert.equal(test.server.service.operations.count, 1);
    assert.equal(test.engine.openViews, 1);
    client.socket.resetAndDestroy();
    await wait(50);
    assert.equal(test.server.service.operations.count, 0);
    assert.equal(test.engine.openViews, 0);
  });

  it('finishes a request that wants no reply after its client has left', async () => {
    const before = test.server.service.metrics.command('slowEcho').total;
    const client = await open();
    client.socket.end(
      Buffer.concat([
        client.encode({ slowEcho: 1, ms: 60, $db: 'test' }, { moreToCome: true }),
        client.encode({ slowEcho: 1, ms: 0, $db: 'test' }, { moreToCome: true }),
      ]),
    );
    await wait(120);
    const counters = test.server.service.metrics.command('slowEcho');
    assert.equal(counters.total - before, 2);
    assert.equal(counters.failed, 0);
  });

  it('forgets a connection that is gone', async () => {
    const client = await open();
    await client.run({ ping: 1, $db: 'admin' });
    const before = test.server.service.connections.current;
    client.close();
    await wait(20);
    assert.equal(test.server.service.connections.current, before - 1);
  });
});
