import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/network: deadlines and limits', () => {
  const servers: TestServer[] = [];
  const clients: RawClient[] = [];

  const start = async (parameters: Record<string, string>, maxConnections = 100) => {
    const server = await startTestServer({ parameters, maxConnections });
    servers.push(server);
    return server;
  };
  const open = async (server: TestServer): Promise<RawClient> => {
    const client = await RawClient.open(server.port);
    clients.push(client);
    return client;
  };
  const isOpen = async (client: RawClient, afterMs: number): Promise<boolean> =>
    Promise.race([client.closed.then(() => false), wait(afterMs, true)]);

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const server of servers.splice(0)) await server.stop();
  });

  it('closes a connection that sends nothing', async () => {
    const server = await start({ connectionHandshakeTimeoutMillis: '50' });
    const client = await open(server);
    assert.equal(await isOpen(client, 500), false);
    assert.equal(server.server.service.metrics.network.numTimedOut, 1);
  });

  it('closes a connection that sends half a message first', async () => {
    const server = await start({ connectionHandshakeTimeoutMillis: '50' });
    const client = await open(server);
    client.socket.write(client.encode({ ping: 1, $db: 'admin' }).subarray(0, 20));
    assert.equal(await isOpen(client, 500), false);
  });

  it('closes a connection that sends half a message after whole ones', async () => {
    const server = await start({ partialMessageTimeoutMillis: '50' });
    const client = await open(server);
    await client.run({ ping: 1, $db: 'admin' });
    client.socket.write(client.encode({ ping: 1, $db: 'admin' }).subarray(0, 20));
    assert.equal(await isOpen(client, 500), false);
  });

  it('lets a long message take its time while it makes progress', async () => {
    const server = await start({ partialMessageTimeoutMillis: '60' });
    const client = await open(server);
    await client.run({ ping: 1, $db: 'admin' });
    const message = client.encode({ ping: 1, $db: 'admin', comment: 'x'.repeat(800_000) });
    for (let offset = 0; offset < message.length; offset += 100_000) {
      client.socket.write(message.subarray(offset, offset + 100_000));
      await wait(30);
    }
    assert.equal((await client.reply()).document['ok'], 1);
  });

  it('closes an idle connection, but not one that is waiting for a slow command', async () => {
    const server = await start({ connectionIdleTimeoutMillis: '60' });
    const idle = await open(server);
    const busy = await open(server);
    await idle.run({ ping: 1, $db: 'admin' });
    busy.send({ slowEcho: 1, ms: 400, value: 'done', $db: 'test' });
    assert.equal(await isOpen(idle, 350), false);
    assert.equal((await busy.reply()).document['value'], 'done');
  });

  it('stops reading from a client that does not read its replies, then closes it', async () => {
    const server = await start({ unreadReplyTimeoutMillis: '150' });
    const client = await open(server);
    await client.run({ ping: 1, $db: 'admin' });
    client.socket.pause();
    for (let count = 0; count < 50; count += 1) {
      client.send({ large: 1, bytes: 2_000_000, $db: 'test' });
    }
    await wait(80);
    const answered = server.server.service.metrics.command('large').total;
    assert.ok(answered < 20, `push-back stops after a few replies, not after ${answered}`);
    // A paused socket would not notice its own end.
    await wait(400);
    assert.equal(server.server.service.connections.current, 0);
    assert.equal(server.server.service.metrics.network.numSlowReaders, 1);
  });

  it('serves a slow reader that does make progress', async () => {
    const server = await start({ unreadReplyTimeoutMillis: '100' });
    const client = await open(server);
    for (let count = 0; count < 8; count += 1) {
      client.send({ large: 1, bytes: 1_500_000, $db: 'test' });
    }
    for (let count = 0; count < 8; count += 1) {
      client.socket.pause();
      await wait(30);
      client.socket.resume();
      assert.equal((await client.reply()).document['text'].length, 1_500_000);
    }
  });

  it('refuses connections over the limit, and takes new ones when one has gone', async () => {
    const server = await start({}, 2);
    const first = await open(server);
    await open(server);
    const third = await open(server);
    assert.equal(await isOpen(third, 300), false);
    first.close();
    await wait(30);
    const fourth = await open(server);
    assert.equal((await fourth.run({ ping: 1, $db: 'admin' }))['ok'], 1);
  });

  it('interrupts running operations at shutdown and answers them', async () => {
    const server = await start({});
    const client = await open(server);
    client.send({ spin: 1, $db: 'test' });
    await wait(20);
    const startedMs = performance.now();
    await server.stop();
    const reply = await client.reply();
    assert.equal(reply.document['code'], 11_600);
    assert.ok(performance.now() - startedMs < 1000);
    await client.closed;
  });
});
