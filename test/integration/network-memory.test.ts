import assert from 'node:assert/strict';
import { serialize } from 'bson';
import { RawClient } from '../server/raw-client.ts';
import { Program } from '../support/programs.ts';

const MEBIBYTE = 1024 * 1024;
/** Of a server with the smallest cache: operations have 64 MiB, messages in part and unread replies half of that each. */
const HALF_BYTES = 32 * MEBIBYTE;
const DOCUMENT_BYTES = 8 * MEBIBYTE;
/** Of 100 KB: a little more than a whole batch. */
const DOCUMENTS = 170;

describe('memory of many large messages', function () {
  this.timeout(60_000);
  let server: Program;

  before(async () => {
    server = await Program.start({ args: ['--cacheSizeGB', '0.032'] });
  });
  after(() => server.dispose());

  const numbersOf = async (client: RawClient): Promise<{ buffered: number; replies: number }> => {
    const status = await client.run({ serverStatus: 1, $db: 'admin' });
    const buffered = Number(status['flintdb'].connections.bufferedBytes);
    return { buffered, replies: Number(status['flintdb'].memory.replyBytes) };
  };

  const insertOf = (client: RawClient, id: number): Buffer => {
    const document = serialize({ _id: id, pad: Buffer.alloc(DOCUMENT_BYTES, id) });
    const documents = [Buffer.from(document), Buffer.from(serialize({ _id: id + 1000 }))];
    const sequences = [{ identifier: 'documents', documents }];
    return client.encode({ insert: 'large', $db: 'test' }, { sequences });
  };

  it('holds clients back that send what together is too much, and serves all of them in the end', async () => {
    const watcher = await RawClient.open(server.port);
    const clients = await Promise.all(
      Array.from({ length: 12 }, () => RawClient.open(server.port)),
    );
    const messages = clients.map((client, id) => insertOf(client, id));
    const replies = Promise.all(clients.map((client) => client.reply()));
    for (const [index, client] of clients.entries()) client.socket.write(messages[index]);
    let most = 0;
    let isOver = false;
    void replies.then(() => (isOver = true));
    while (!isOver) {
      most = Math.max(most, (await numbersOf(watcher)).buffered);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(most < HALF_BYTES + DOCUMENT_BYTES + 12 * 320 * 1024, `${most} bytes`);
    assert.deepEqual(
      (await replies).map(({ document }) => document['n']),
      clients.map(() => 2),
    );
    for (const client of clients) client.close();
    watcher.close();
  });

  it('says what its memory is made of, and comes near to what the system says', async () => {
    const client = await RawClient.open(server.port);
    const { memory } = (await client.run({ serverStatus: 1, $db: 'admin' }))['flintdb'];
    const parts = Object.values(memory.parts).map(Number);
    assert.ok(parts.every((bytes) => bytes >= 0));
    const sum = parts.reduce((all, bytes) => all + bytes, 0);
    const share = sum / Number(memory.processBytes);
    assert.ok(share > 0.6 && share < 1.4, `${share} of ${memory.processBytes} bytes`);
    client.close();
  });

  it('fills small batches while many are unread', async () => {
    const watcher = await RawClient.open(server.port);
    const filler = await RawClient.open(server.port);
    const pad = Buffer.alloc(100_000);
    for (let first = 0; first < DOCUMENTS; first += 85) {
      const documents = Array.from({ length: 85 }, (_, index) => ({ _id: first + index, pad }));
      await filler.run({ insert: 'many', documents, $db: 'test' });
    }
    const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.open(server.port)));
    for (const client of clients) {
      client.socket.pause();
      client.send({ find: 'many', batchSize: 1000, $db: 'test' });
    }
    let most = 0;
    for (let look = 0; look < 10; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      most = Math.max(most, (await numbersOf(watcher)).replies);
    }
    assert.ok(most > HALF_BYTES / 2, `${most} bytes`);
    assert.ok(most < HALF_BYTES + 2 * 16 * MEBIBYTE, `${most} bytes`);
    for (const client of clients) {
      client.socket.resume();
      let { cursor } = (await client.reply()).document;
      let count = cursor.firstBatch.length;
      while (Number(cursor.id) !== 0) {
        cursor = (await client.run({ getMore: cursor.id, collection: 'many', $db: 'test' })).cursor;
        count += cursor.nextBatch.length;
      }
      assert.equal(count, DOCUMENTS);
      client.close();
    }
    assert.ok((await numbersOf(watcher)).replies < MEBIBYTE);
    filler.close();
    watcher.close();
  });
});
