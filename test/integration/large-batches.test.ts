/**
 * Batches of many small documents: a reply is a document itself, and no longer than clients take one.
 */
import assert from 'node:assert/strict';
import { FlintClient } from '../../client/index.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../../common/limits.ts';
import { RawClient } from '../server/raw-client.ts';
import { serverForTests } from '../support/test-server.ts';

const DOCUMENTS = 36_000;
const OP_MSG_OVERHEAD = 21;

describe('a batch as large as it may be', function () {
  this.timeout(20_000);
  const server = serverForTests();
  before('insert', async () => {
    const text = 'y'.repeat(480);
    const documents = Array.from({ length: DOCUMENTS }, (_, _id) => ({ _id, text }));
    await server.client.db('large').collection<{ _id: number }>('c').insertMany(documents);
  });

  it('comes in a reply that is no longer than a document may be', async () => {
    const client = await RawClient.open(server.program.port);
    client.send({ find: 'c', batchSize: DOCUMENTS, $db: 'large' });
    const message = await client.message();
    client.socket.destroy();
    const bytes = (message?.length ?? 0) - OP_MSG_OVERHEAD;
    assert.ok(bytes > 16_000_000 && bytes <= MAX_BSON_INTERNAL_BYTES, `${bytes} bytes`);
  });

  it('is read by the SDK to its end', async () => {
    const client = new FlintClient(server.uri);
    let count = 0;
    for await (const _ of client.db('large').collection('c').find()) count += 1;
    await client.close();
    assert.equal(count, DOCUMENTS);
  });
});
