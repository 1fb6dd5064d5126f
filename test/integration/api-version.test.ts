import assert from 'node:assert/strict';
import type { Document } from 'mongodb';
import { serverForTests, type TestServer } from '../support/test-server.ts';

function run(server: TestServer, command: Document): Promise<Document> {
  return server.client.db('api').command(command);
}

describe('the stable API with test commands', () => {
  const server = serverForTests({ args: ['--testing', '--setParameter', 'acceptApiVersion2=1'] });

  it('answers the test commands of each version with the parameters that came', async () => {
    assert.deepEqual(await run(server, { testVersion2: 1, apiVersion: '2', apiStrict: true }), {
      apiVersion: '2',
      apiStrict: true,
      ok: 1,
    });
    assert.deepEqual(await run(server, { testVersions1And2: 1, apiVersion: '1' }), {
      apiVersion: '1',
      ok: 1,
    });
    assert.deepEqual(await run(server, { testRemoval: 1, apiVersion: '1', apiStrict: true }), {
      apiVersion: '1',
      apiStrict: true,
      ok: 1,
    });
    assert.deepEqual(await run(server, { testDeprecation: 1 }), { ok: 1 });
    assert.deepEqual(await run(server, { testDeprecationInVersion2: 1, apiVersion: '2' }), {
      apiVersion: '2',
      ok: 1,
    });
  });

  it('refuses commands outside of the version with apiStrict', async () => {
    for (const [command, version] of [
      [{ testVersion2: 1 }, '1'],
      [{ testRemoval: 1 }, '2'],
      [{ distinct: 'c', key: 'a' }, '1'],
      [{ aggregate: 1, pipeline: [{ $listLocalSessions: {} }], cursor: {} }, '1'],
    ] as const) {
      await assert.rejects(run(server, { ...command, apiVersion: version, apiStrict: true }), {
        codeName: 'APIStrictError',
      });
    }
  });

  it('refuses what is deprecated in the version with apiDeprecationErrors', async () => {
    const strict = { apiVersion: '2', apiDeprecationErrors: true };
    await assert.rejects(run(server, { testDeprecationInVersion2: 1, ...strict }), {
      codeName: 'APIDeprecationError',
      message:
        'Provided apiDeprecationErrors:true, but the command testDeprecationInVersion2 is deprecated in API Version 2',
    });
    const first = { apiVersion: '1', apiDeprecationErrors: true };
    assert.ok(await run(server, { testDeprecationInVersion2: 1, ...first }));
    await assert.rejects(run(server, { testDeprecation: 1, ...first }), { code: 324 });
  });

  it('fails on purpose for commands that are not built', async () => {
    await server.client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: { times: 1 },
      data: { failCommands: ['saslStart'], errorCode: 8 },
    });
    await assert.rejects(run(server, { saslStart: 1 }), { code: 8 });
  });
});

describe('the stable API', () => {
  const server = serverForTests({ args: ['--setParameter', 'strictStandalone=1'] });

  it('has no second version, and no test commands', async () => {
    await assert.rejects(run(server, { ping: 1, apiVersion: '2' }), {
      codeName: 'APIVersionError',
    });
    await assert.rejects(run(server, { testVersion2: 1 }), { code: 59 });
  });
});
