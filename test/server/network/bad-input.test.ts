import assert from 'node:assert/strict';
import { SeededRandom } from '../../../common/random.ts';
import { RawClient } from '../raw-client.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

describe('server/network: bad input', () => {
  let test: TestServer;

  before(async () => {
    test = await startTestServer();
  });
  after(() => test.stop());

  const healthy = async (): Promise<void> => {
    const client = await RawClient.open(test.port);
    assert.equal((await client.run({ ping: 1, $db: 'admin' }))['ok'], 1);
    client.close();
  };

  const header = (length: number, opCode: number): Buffer => {
    const bytes = Buffer.alloc(16);
    bytes.writeInt32LE(length, 0);
    bytes.writeInt32LE(1, 4);
    bytes.writeInt32LE(opCode, 12);
    return bytes;
  };

  for (const [what, bytes] of [
    ['a negative length', header(-5, 2013)],
    ['a length shorter than the header', header(15, 2013)],
    ['a length over 48 MB', header(48_000_001, 2013)],
    ['an unknown opcode', header(16, 4711)],
    ['a removed opcode', Buffer.concat([header(36, 2002), Buffer.alloc(20)])],
    ['a reply', Buffer.concat([header(36, 1), Buffer.alloc(20)])],
    [
      'an unknown required flag',
      Buffer.concat([header(26, 2013), Buffer.of(8, 0, 0, 0, 0, 5, 0, 0, 0, 0)]),
    ],
    ['the beginning of TLS', Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3, 4, 5)],
  ] as const) {
    it(`ends a connection that sends ${what}, and no other one`, async () => {
      const client = await RawClient.open(test.port);
      client.socket.write(bytes);
      await client.closed;
      await healthy();
    });
  }

  it('answers a body that is no BSON with an error, and goes on', async () => {
    const client = await RawClient.open(test.port);
    const message = client.encode({ ping: 1, $db: 'admin', text: 'abc' });
    message[message.length - 3] = 0xff;
    client.socket.write(message);
    const reply = await client.reply();
    assert.equal(reply.document['ok'], 0);
    assert.equal((await client.run({ ping: 1, $db: 'admin' }))['ok'], 1);
    client.close();
  });

  it('answers an empty body, a nameless command and a missing database with errors', async () => {
    const client = await RawClient.open(test.port);
    assert.equal((await client.run({}))['ok'], 0);
    assert.equal((await client.run({ '': 1, $db: 'admin' }))['code'], 59);
    assert.equal((await client.run({ ping: 1 }))['code'], 40_571);
    assert.equal((await client.run({ ping: 1, $db: 'a.b' }))['code'], 73);
    assert.equal((await client.run({ ping: 1, $db: 7 }))['code'], 14);
    client.close();
  });

  it('survives 3000 mutated messages without leaving anything behind', async () => {
    const random = new SeededRandom(20);
    const source = await RawClient.open(test.port);
    const seeds = [
      source.encode({ hello: 1, $db: 'admin', client: { driver: { name: 'x', version: '1' } } }),
      source.encode({ large: 1, bytes: 10, $db: 'test', lsid: { id: 1 } }),
      source.encode({ ping: 1, $db: 'admin' }, { checksum: true }),
      source.encode(
        { getParameter: '*', $db: 'admin', readConcern: { level: 'local' }, maxTimeMS: 5 },
        { sequences: [{ identifier: 'documents', documents: [Buffer.of(5, 0, 0, 0, 0)] }] },
      ),
    ];
    source.close();
    let client = await RawClient.open(test.port);
    for (let count = 0; count < 3000; count += 1) {
      const seed = seeds[random.below(seeds.length)] ?? Buffer.alloc(0);
      const mutated = Buffer.from(seed);
      for (let changes = 1 + random.below(4); changes > 0; changes -= 1) {
        mutated[random.below(mutated.length)] = random.below(256);
      }
      if (random.below(3) > 0) mutated.writeInt32LE(mutated.length, 0);
      if (client.socket.destroyed || client.socket.readableEnded || random.below(20) === 0) {
        client.close();
        client = await RawClient.open(test.port);
      }
      client.socket.write(mutated);
    }
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await healthy();
    const { service } = test.server;
    assert.equal(service.operations.count, 0);
    assert.equal(test.engine.openViews, 0);
    assert.ok(service.connections.current <= 1);
  });
});
