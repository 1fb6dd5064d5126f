import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize } from 'bson';
import { ManualClock, systemClock } from '../../common/clock.ts';
import { CommandError, NetworkError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import {
  compressorByName,
  Connection,
  NetworkTimeoutError,
  type CompressorName,
} from '../../wire/index.ts';
import { raw, withHeader } from './documents.ts';
import { Peer, type Handler, type PeerRequest } from './peer.ts';
import { TLS_CERTIFICATE, TLS_KEY } from './tls-identity.ts';

const ping = raw({ ping: 1, $db: 'admin' });
const metadata = { driver: { name: 'test', version: '1' } };

/** An operation that the test can interrupt. */
class TestInterruption implements Interruption {
  reason: Error | undefined;
  private readonly listeners = new Set<(reason: Error) => void>();

  get listenerCount(): number {
    return this.listeners.size;
  }

  throwIfInterrupted(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  onInterrupt(stop: (reason: Error) => void): () => void {
    this.listeners.add(stop);
    return () => this.listeners.delete(stop);
  }

  interrupt(): void {
    const reason = new CommandError('Interrupted', 'operation was interrupted');
    this.reason = reason;
    for (const stop of this.listeners) stop(reason);
  }
}

describe('Connection', () => {
  let peer: Peer;
  const open: Connection[] = [];

  async function connectTo(handler?: Handler, options = {}): Promise<Connection> {
    peer = await Peer.listen(handler);
    const connection = await peer.connect(options);
    open.push(connection);
    return connection;
  }

  afterEach(async () => {
    for (const connection of open.splice(0)) connection.close();
    await peer.close();
  });

  it('shakes hands with its metadata and reads what the peer says of itself', async () => {
    const connection = await connectTo(undefined, {
      metadata: { ...metadata, application: 'the tests' },
    });
    assert.equal(connection.peer.maxWireVersion, 25);
    assert.equal(connection.peer.connectionId, 17);
    assert.equal(connection.peer.maxMessageBytes, 48_000_000);
    const [hello] = peer.requests;
    assert.equal(hello?.['$db'], 'admin');
    const client = JSON.stringify(hello?.['client']);
    assert.match(client, /"application":\{"name":"the tests"\}/);
    assert.match(client, /"driver":\{"name":"test","version":"1"\}/);
  });

  it('fails to connect when the peer refuses the handshake', async () => {
    peer = await Peer.listen(undefined, { hello: { ok: 0, code: 13, errmsg: 'go away' } });
    await assert.rejects(
      peer.connect(),
      (error) => error instanceof CommandError && error.code === 13 && error.message === 'go away',
    );
  });

  it('sends a request with sequences and gives the reply', async () => {
    const connection = await connectTo((request) => {
      const [sequence] = request.message.sequences;
      request.reply({ ok: 1, name: sequence?.identifier, n: sequence?.documents.length });
    });
    const documents = [raw({ _id: 1 }), raw({ _id: 2 })];
    const body = raw({ insert: 'c', $db: 'test' });
    const reply = await connection.command(body, {
      sequences: [{ identifier: 'documents', documents }],
    });
    assert.deepEqual(deserialize(reply), { ok: 1, name: 'documents', n: 2 });
  });

  it('gives each of many requests in flight its own reply, in whatever order they come', async () => {
    const held: PeerRequest[] = [];
    const connection = await connectTo((request) => {
      held.push(request);
      if (held.length < 20) return;
      for (const one of held.toReversed()) one.reply({ ok: 1, echo: one.command['n'] });
    });
    const bodies = Array.from({ length: 20 }, (_, n) => raw({ echo: 1, n, $db: 'test' }));
    const replies = await Promise.all(bodies.map((body) => connection.command(body)));
    assert.deepEqual(
      replies.map((reply) => deserialize(reply)['echo']),
      bodies.map((_, n) => n),
    );
    assert.equal(connection.requestsInFlight, 0);
  });

  it('throws the error of the peer with code and labels', async () => {
    const connection = await connectTo((request) => {
      request.reply({ ok: 0, code: 112, errmsg: 'conflict', errorLabels: ['Transient'] });
    });
    await assert.rejects(
      connection.command(ping),
      (error) =>
        error instanceof CommandError && error.code === 112 && error.labels[0] === 'Transient',
    );
    assert.equal(connection.isOpen, true);
  });

  for (const name of ['snappy', 'zlib'] as const) {
    it(`compresses with ${name} when both agree, but never the handshake`, async () => {
      const used: (CompressorName | undefined)[] = [];
      peer = await Peer.listen(
        (request) => {
          used.push(request.compressor?.name);
          const compressor = compressorByName(name);
          request.reply({ ok: 1, text: request.command['text'] }, { compressor });
        },
        { hello: { compression: [name] } },
      );
      const connection = await peer.connect({ compressors: ['zlib', 'snappy'] });
      open.push(connection);
      const texts = ['short'.repeat(50), 'long'.repeat(200_000), 'again'.repeat(50)];
      const replies = await Promise.all(
        texts.map((text) => connection.command(raw({ echo: 1, text, $db: 'test' }))),
      );
      assert.deepEqual(
        replies.map((reply) => deserialize(reply)['text']),
        texts,
      );
      assert.deepEqual(used, [name, name, name]);
      assert.deepEqual(connection.peer.compressors, [name]);
      await connection.command(raw({ saslStart: 1, payload: 'x'.repeat(500), $db: 'admin' }));
      assert.equal(used[3], undefined);
    });
  }

  it('sends messages in the order of the requests while one of them takes long to compress', async () => {
    peer = await Peer.listen(undefined, { hello: { compression: ['zlib'] } });
    const connection = await peer.connect({ compressors: ['zlib'] });
    open.push(connection);
    const texts = ['a'.repeat(1_000_000), 'b', 'c'.repeat(500_000), 'd'];
    await Promise.all(
      texts.map((text, n) => connection.command(raw({ echo: 1, n, text, $db: 'test' }))),
    );
    assert.deepEqual(
      peer.requests.slice(1).map((command) => command['n']),
      [0, 1, 2, 3],
    );
  });

  it('sends checksums when told to, and checks those it gets', async () => {
    const connection = await connectTo((request) => request.reply({ ok: 1 }), { checksums: true });
    const reply = await connection.request(ping);
    assert.equal(reply.checksumPresent, true);
  });

  it('waits for no reply to a message with moreToCome', async () => {
    const connection = await connectTo((request) => {
      if (!request.message.moreToCome) request.reply({ ok: 1 });
    });
    await connection.sendOnly(raw({ insert: 'c', writeConcern: { w: 0 }, $db: 'test' }));
    await connection.command(ping);
    assert.deepEqual(Object.keys(peer.requests[1] ?? {})[0], 'insert');
    assert.equal(connection.requestsInFlight, 0);
  });

  it('yields exhaust replies until the last, and serves requests afterwards', async () => {
    const connection = await connectTo((request) => {
      if (!request.message.exhaustAllowed) {
        request.reply({ ok: 1, after: true });
        return;
      }
      let responseTo = request.message.requestId;
      for (let n = 0; n < 100; n += 1) {
        responseTo = request.reply({ ok: 1, n }, { moreToCome: n < 99, responseTo });
      }
    });
    const numbers: number[] = [];
    for await (const reply of connection.exhaust(raw({ getMore: 1n, $db: 'test' }))) {
      numbers.push(deserialize(reply.body)['n']);
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: 100 }, (_, n) => n),
    );
    assert.equal(deserialize(await connection.command(ping))['after'], true);
  });

  it('stops reading while exhaust replies wait for their reader', async () => {
    let written = 0;
    const text = 'x'.repeat(1_000_000);
    const connection = await connectTo((request) => {
      let responseTo = request.message.requestId;
      const more = (): void => {
        while (written < 100 && request.socket.writableLength < 4_000_000) {
          written += 1;
          const moreToCome = written < 100;
          responseTo = request.reply({ ok: 1, text }, { moreToCome, responseTo });
        }
        request.socket.once('drain', more);
      };
      more();
    });
    const replies = connection.exhaust(raw({ getMore: 1n, $db: 'test' }));
    await replies.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(written < 60, `${written} were written`);
    let rest = 0;
    for await (const reply of replies) rest += reply.body.length > 0 ? 1 : 0;
    assert.equal(rest, 99);
  });

  it('ends when an exhaust loop is left early', async () => {
    const connection = await connectTo((request) => {
      const first = request.reply({ ok: 1 }, { moreToCome: true });
      request.reply({ ok: 1 }, { moreToCome: true, responseTo: first });
    });
    for await (const reply of connection.exhaust(ping)) {
      assert.equal(reply.moreToCome, true);
      break;
    }
    assert.equal(connection.isOpen, false);
  });

  it('fails every request in flight when the peer goes away', async () => {
    const connection = await connectTo((request) => request.socket.destroy());
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => connection.request(ping)));
    for (const outcome of outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.ok(outcome.reason instanceof NetworkError);
    }
    assert.equal(connection.isOpen, false);
    await assert.rejects(connection.request(ping), NetworkError);
    await assert.rejects(connection.sendOnly(ping), NetworkError);
    await assert.rejects(connection.exhaust(ping).next(), NetworkError);
  });

  it('ends when a reply does not come in time', async () => {
    const clock = new ManualClock();
    const connection = await connectTo(() => clock.advance(500), { clock });
    await assert.rejects(connection.request(ping, { timeoutMs: 500 }), NetworkTimeoutError);
    assert.equal(connection.isOpen, false);
  });

  it('ends with the reason when its operation is interrupted, and takes its listener back', async () => {
    const interruption = new TestInterruption();
    const connection = await connectTo((request) => {
      if (request.command['slow'] === true) interruption.interrupt();
      else request.reply({ ok: 1 });
    });
    await connection.command(ping, { interruption });
    assert.equal(interruption.listenerCount, 0);
    const slow = raw({ ping: 1, slow: true, $db: 'admin' });
    await assert.rejects(
      connection.request(slow, { interruption }),
      (error) => error === interruption.reason,
    );
    assert.equal(connection.isOpen, false);
  });

  it('does not even start a request for an interrupted operation', async () => {
    const interruption = new TestInterruption();
    const connection = await connectTo();
    interruption.interrupt();
    await assert.rejects(connection.request(ping, { interruption }), CommandError);
    assert.equal(connection.isOpen, true);
    await assert.rejects(peer.connect({ interruption }), CommandError);
  });

  for (const [what, bytes] of [
    ['a length that no message has', Buffer.alloc(16, 0xff)],
    ['an opcode that it does not know', withHeader(Buffer.alloc(8), { opCode: 99 })],
    ['a reply to nothing', withHeader(raw({ ok: 1 }), { opCode: 2013, responseTo: 4711 })],
    ['an answer to OP_QUERY', withHeader(Buffer.alloc(20), { opCode: 1 })],
    ['a damaged compressed message', withHeader(Buffer.alloc(20, 3), { opCode: 2012 })],
  ] as const) {
    it(`ends with a NetworkError when the peer sends ${what}`, async () => {
      const connection = await connectTo((request) => request.socket.write(bytes));
      await assert.rejects(connection.request(ping), NetworkError);
      assert.equal(connection.isOpen, false);
    });
  }

  it('ends with a NetworkError when a reply is no BSON', async () => {
    const connection = await connectTo((request) => {
      const reply = withHeader(Buffer.concat([Buffer.alloc(5), raw({ ok: 'text' })]), {
        opCode: 2013,
        responseTo: request.message.requestId,
      });
      reply[25] = 0x77;
      request.socket.write(reply);
    });
    await assert.rejects(connection.request(ping), NetworkError);
  });

  it('tells whoever asked when it has ended', async () => {
    const connection = await connectTo();
    let ended = 0;
    connection.onEnd(() => (ended += 1));
    connection.close();
    connection.close();
    connection.onEnd(() => (ended += 1));
    assert.equal(ended, 2);
  });

  it('goes through a Unix domain socket', async () => {
    const path = join(tmpdir(), `flint-wire-${process.pid}.sock`);
    rmSync(path, { force: true });
    peer = await Peer.listen(undefined, { path });
    const connection = await peer.connect();
    open.push(connection);
    assert.deepEqual(connection.address, { path });
    await connection.command(ping);
  });

  it('goes through TLS, and refuses a certificate that it has no reason to trust', async () => {
    peer = await Peer.listen(undefined, { tls: { key: TLS_KEY, cert: TLS_CERTIFICATE } });
    const connection = await peer.connect({ tls: { ca: TLS_CERTIFICATE } });
    open.push(connection);
    await connection.command(ping);
    await assert.rejects(peer.connect({ tls: {} }), NetworkError);
  });

  it('cannot connect where nobody listens', async () => {
    peer = await Peer.listen();
    const { address } = peer;
    await peer.close();
    await assert.rejects(
      Connection.connect({ address, clock: systemClock, metadata }),
      /cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    );
  });

  it('gives up connecting to a peer that never answers the handshake', async () => {
    peer = await Peer.listen();
    const silent = createServer((socket) => socket.on('error', () => {}).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const bound = silent.address();
    assert.ok(bound !== null && typeof bound !== 'string');
    const connecting = Connection.connect({
      address: { host: '127.0.0.1', port: bound.port },
      clock: systemClock,
      metadata,
      connectTimeoutMs: 100,
    });
    await assert.rejects(connecting, NetworkTimeoutError);
    await new Promise((resolve) => silent.close(resolve));
  });
});
