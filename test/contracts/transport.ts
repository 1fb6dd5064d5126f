/**
 * What client/transport/contract.ts promises, for any implementation: one suite, run against a real server.
 */
import assert from 'node:assert/strict';
import { deserialize, serialize, type Document } from 'bson';
import {
  MongoOperationTimeoutError,
  MongoTopologyClosedError,
  ReadPreference,
  startServer,
  type TestServer,
} from '../../client/index.ts';
import { parseClientOptions } from '../../client/options/parse-options.ts';
import type {
  CommandMessage,
  ConnectionLabel,
  Server,
  Transport,
  TransportFactory,
} from '../../client/transport/contract.ts';

export interface TransportUnderTest {
  readonly name: string;
  readonly factory: TransportFactory;
  /** Where the transport finds a server, and what that must be started with. */
  readonly args: readonly string[];
  readonly uriOf: (server: TestServer) => string;
}

const WANTED = { readPreference: ReadPreference.primary, operation: 'ping' };

export function describeTransport({ name, factory, args, uriOf }: TransportUnderTest): void {
  describe(`the contract of transports: ${name}`, () => {
    let server: TestServer;
    let transport: Transport;
    before('start', async () => {
      server = await startServer({ memory: true, args });
      transport = factory(parseClientOptions(uriOf(server)), { emit: () => {} });
      await transport.connect(WANTED);
    });
    after('end', async () => {
      await transport.close();
      await server.stop();
    });

    const ask = async (
      command: Document,
      options: Parameters<Server['request']>[1] = {},
      more: Partial<CommandMessage> = {},
    ): Promise<Document | undefined> => {
      const chosen = await transport.selectServer(WANTED);
      const message = { body: serialize(command), sequences: [], unacknowledged: false, ...more };
      const bytes = await chosen.request(message, options);
      return bytes === undefined ? undefined : deserialize(bytes);
    };

    it('says what its server can do', async () => {
      const { traits } = await transport.selectServer(WANTED);
      assert.equal(traits.type, 'Standalone');
      assert.equal(traits.maxBsonObjectSize, 16 * 1024 * 1024);
      assert.equal(traits.logicalSessionTimeoutMinutes, 30);
      assert.equal(transport.deployment.logicalSessionTimeoutMinutes, 30);
    });

    it('gives a reply as it came, whatever it says', async () => {
      assert.equal((await ask({ ping: 1, $db: 'admin' }))?.['ok'], 1);
      assert.equal((await ask({ nope: 1, $db: 'admin' }))?.['code'], 59);
    });

    it('sends sequences in the place of arrays', async () => {
      const documents = [serialize({ _id: 1 }), serialize({ _id: 2 })];
      const sequences = [{ field: 'documents', documents }];
      const reply = await ask({ insert: 'sequences', $db: 'contract' }, {}, { sequences });
      assert.equal(reply?.['n'], 2);
    });

    it('waits for no reply to what is unacknowledged', async () => {
      const command = {
        insert: 'quiet',
        documents: [{ _id: 1 }],
        writeConcern: { w: 0 },
        $db: 'contract',
      };
      assert.equal(await ask(command, {}, { unacknowledged: true }), undefined);
    });

    it('tells once on which connection a command leaves', async () => {
      const labels: ConnectionLabel[] = [];
      await ask({ ping: 1, $db: 'admin' }, { onSend: (label) => labels.push(label) });
      assert.equal(labels.length, 1);
      assert.match(labels[0]?.address ?? '', /:\d+$/);
    });

    it('ends a request when its time is over, or its signal says so', async () => {
      const slow = { sleep: 1, millis: 2000, $db: 'admin' };
      await assert.rejects(ask(slow, { timeoutMs: 30 }), MongoOperationTimeoutError);
      const reason = new Error('enough');
      const controller = new AbortController();
      const asked = ask(slow, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 30);
      await assert.rejects(asked, reason);
      await assert.rejects(ask(slow, { signal: controller.signal }), reason);
      assert.equal((await ask({ ping: 1, $db: 'admin' }))?.['ok'], 1);
    });

    it('serves many requests at a time', async () => {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, n) => ask({ echo: 1, n, $db: 'admin' })),
      );
      assert.deepEqual(
        replies.map((reply) => reply?.['echo'].n),
        Array.from({ length: 50 }, (_, n) => n),
      );
    });

    it('is over when it is closed', async () => {
      const other = factory(parseClientOptions(uriOf(server)), { emit: () => {} });
      await other.connect(WANTED);
      await other.close();
      await other.close();
      await assert.rejects(other.selectServer(WANTED), MongoTopologyClosedError);
    });
  });
}
