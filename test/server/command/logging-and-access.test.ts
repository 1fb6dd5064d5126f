import assert from 'node:assert/strict';
import { MongoClient } from 'mongodb';
import { serialize, deserialize, type Document } from 'bson';
import type { Log, LogLine } from '../../../common/log.ts';
import type { Principal } from '../../../server/auth/principal.ts';
import { Dispatcher } from '../../../server/command/dispatch.ts';
import { createCommandTable } from '../../../server/commands/index.ts';
import { RecentLog } from '../../../server/metrics/recent-log.ts';
import type { ClientConnection } from '../../../server/operation/client-connection.ts';
import { RawClient } from '../raw-client.ts';
import { startTestServer } from '../test-server.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../../wire/tls-identity.ts';

class CollectedLog implements Log {
  readonly lines: LogLine[] = [];
  write(line: LogLine): void {
    this.lines.push(line);
  }
  withContext(): Log {
    return this;
  }
}

describe('server/command: slow log, access, TLS', () => {
  it('logs an operation that takes long, but not the time that a client asked to wait', async () => {
    const log = new CollectedLog();
    const test = await startTestServer({ log, slowOperationMs: 20 });
    const client = await RawClient.open(test.port);
    await client.run({ slowEcho: 1, ms: 60, $db: 'test' });
    await client.run({ spin: 1, maxTimeMS: 60, $db: 'test' });
    client.close();
    await test.stop();
    const slow = log.lines.filter((line) => line.id === 51_803);
    assert.equal(slow.length, 1);
    const attributes = slow[0]?.attributes ?? {};
    assert.equal(attributes['ns'], 'test.$cmd');
    assert.equal(attributes['errCode'], 50);
    assert.deepEqual(attributes['command'], { spin: 1, maxTimeMS: 60, $db: 'test' });
    assert.ok(Number(attributes['durationMillis']) >= 60);
  });

  it('asks the principal of the connection before it runs a command', async () => {
    const test = await startTestServer();
    const asked: [string, string][] = [];
    const principal: Principal = {
      users: [],
      roles: [],
      mayAccess: (access, resource) => {
        asked.push([access.action, resource]);
        return access.action === 'none';
      },
    };
    const connection: ClientConnection = {
      id: 1,
      remote: 'test:1',
      principal,
      metadata: undefined,
      appName: undefined,
      handshakeDone: true,
      compressors: [],
      abort: () => {},
    };
    const dispatcher = new Dispatcher(test.server.service, createCommandTable());
    const run = async (command: Document): Promise<Document> => {
      const bytes = Buffer.from(serialize(command));
      const answer = await dispatcher.run({ bytes, sequences: [] }, connection, () => {});
      return answer.kind === 'reply' ? deserialize(answer.body) : assert.fail('closed');
    };
    assert.equal((await run({ ping: 1, $db: 'admin' }))['ok'], 1);
    const refused = await run({ find: 'c', $db: 'shop' });
    assert.equal(refused['code'], 13);
    assert.equal(refused['errmsg'], 'not authorized on shop to execute command find');
    assert.deepEqual(asked, [
      ['none', 'admin'],
      ['find', 'shop.c'],
    ]);
    await test.stop();
  });

  it('speaks TLS when it is given a certificate', async () => {
    const test = await startTestServer({ tls: { key: TLS_KEY, cert: TLS_CERTIFICATE } });
    const client = await MongoClient.connect(test.uri, {
      tls: true,
      ca: TLS_CERTIFICATE,
      serverSelectionTimeoutMS: 3000,
    });
    assert.equal((await client.db('admin').command({ ping: 1 }))['ok'], 1);
    await client.close();
    await test.stop();
  });

  it('keeps the newest lines of the log', () => {
    const recent = new RecentLog();
    for (let count = 0; count < 1500; count += 1) recent.keep(`line ${count}\n`);
    assert.equal(recent.total, 1500);
    assert.equal(recent.lines.length, 1024);
    assert.equal(recent.lines[0], 'line 476');
    assert.equal(recent.lines.at(-1), 'line 1499');
  });
});
