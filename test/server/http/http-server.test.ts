import assert from 'node:assert/strict';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { createApp } from '../../../server/http/http-server.ts';
import { openApiDocument } from '../../../server/http/openapi.ts';
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

describe('server/http: the routes', () => {
  it('are those of the OpenAPI document, all of them and no others', async () => {
    const test = await startTestServer();
    const options = {
      addresses: [],
      port: 0,
      guard: { allowedOrigins: [], allowedHosts: [] },
      runner: { run: () => EMPTY_DOCUMENT },
      tally: { opened: () => 1, closed: () => {} },
      isReady: () => true,
    };
    const { routes } = createApp(test.server.service, options, new WeakMap());
    await test.stop();
    const mounted = routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method.toLowerCase()} ${path}`);
    const { paths } = openApiDocument();
    assert.ok(typeof paths === 'object' && paths !== null);
    const described = Object.entries(paths).flatMap(([path, methods]: [string, object]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    assert.ok(described.length > 10);
    assert.deepEqual(new Set(mounted), new Set(described));
  });
});
