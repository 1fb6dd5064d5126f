import assert from 'node:assert/strict';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { OperationContext } from '../../../server/operation/operation-context.ts';
import { startTestServer } from '../test-server.ts';

describe('server/http: readiness', () => {
  it('says that it stops for as long as operations are ending, and then nothing', async () => {
    const test = await startTestServer({ httpPort: 0 });
    const { server } = test;
    const lingering = new OperationContext(server.service, {
      commandName: 'lingers',
      database: 'db',
      commandBody: EMPTY_DOCUMENT,
      connection: undefined,
      session: undefined,
    });
    const url = `http://127.0.0.1:${server.httpPort}/readyz`;
    assert.equal((await fetch(url)).status, 200);
    const stopped = test.stop();
    const answer = await fetch(url);
    lingering.finish();
    assert.equal(answer.status, 503);
    assert.equal(await answer.text(), 'stopping\n');
    await stopped;
    await assert.rejects(fetch(url));
  });
});
