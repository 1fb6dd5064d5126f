import assert from 'node:assert/strict';
import { ManualClock, systemClock, type Clock } from '../../common/clock.ts';
import { NetworkError } from '../../common/errors.ts';
import {
  ConnectionPool,
  NetworkTimeoutError,
  type Connection,
  type ConnectionPoolOptions,
} from '../../wire/index.ts';
import { raw } from './documents.ts';
import { Peer } from './peer.ts';

const ping = raw({ ping: 1, $db: 'admin' });

/** Lets sockets and promises do what they have to. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe('ConnectionPool', () => {
  let peer: Peer;
  let pool: ConnectionPool;

  async function poolOf(
    options: Partial<ConnectionPoolOptions>,
    clock: Clock = systemClock,
  ): Promise<ConnectionPool> {
    peer = await Peer.listen();
    pool = new ConnectionPool({ connect: () => peer.connect(), clock, ...options });
    return pool;
  }

  afterEach(async () => {
    pool.close();
    await peer.close();
  });

  it('lends the same connection again and again when one is enough', async () => {
    await poolOf({});
    for (let round = 0; round < 5; round += 1) {
      await pool.use((connection) => connection.command(ping));
    }
    assert.equal(pool.statistics.opened, 1);
    assert.deepEqual(pool.statistics, { idle: 1, lent: 0, opening: 0, waiting: 0, opened: 1 });
  });

  it('never has more connections than maxSize, and serves those who wait in order', async () => {
    await poolOf({ maxSize: 3 });
    const order: number[] = [];
    let most = 0;
    const work = async (n: number): Promise<void> => {
      const connection = await pool.checkOut();
      most = Math.max(most, pool.statistics.lent);
      await connection.command(ping);
      order.push(n);
      pool.checkIn(connection);
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => work(n)));
    assert.equal(most, 3);
    assert.equal(peer.accepted, 3);
    assert.deepEqual(
      order.slice(10).map((n) => n >= 7),
      Array(10).fill(true),
    );
  });

  it('opens minSize connections without being asked', async () => {
    await poolOf({ minSize: 3 });
    await settle();
    assert.equal(pool.statistics.idle, 3);
  });

  it('lets a waiter go when no connection gets free in time', async () => {
    const clock = new ManualClock();
    await poolOf({ maxSize: 1, waitQueueTimeoutMs: 1000 }, clock);
    const connection = await pool.checkOut();
    const waiting = pool.checkOut();
    clock.advance(1000);
    await assert.rejects(waiting, NetworkTimeoutError);
    pool.checkIn(connection);
    assert.equal(await pool.checkOut(), connection);
  });

  it('ends connections that were idle for too long, but keeps minSize', async () => {
    const clock = new ManualClock();
    await poolOf({ maxIdleMs: 5000, minSize: 1 }, clock);
    const lent = await Promise.all([pool.checkOut(), pool.checkOut(), pool.checkOut()]);
    for (const connection of lent) pool.checkIn(connection);
    clock.advance(10_001);
    await settle();
    assert.ok(lent.every((connection) => !connection.isOpen));
    assert.equal(pool.statistics.idle, 1);
  });

  it('replaces a connection that the peer ended while it was idle', async () => {
    await poolOf({});
    await pool.use((connection) => connection.command(ping));
    for (const socket of peer.sockets) socket.destroy();
    await settle();
    assert.equal(pool.statistics.idle, 0);
    await pool.use((connection) => connection.command(ping));
    assert.equal(pool.statistics.opened, 2);
  });

  it('clears itself when the network fails under a borrower', async () => {
    await poolOf({});
    const lent = await Promise.all([pool.checkOut(), pool.checkOut()]);
    for (const connection of lent) pool.checkIn(connection);
    peer.handler = (request) => request.socket.destroy();
    await assert.rejects(
      pool.use((connection) => connection.command(ping)),
      NetworkError,
    );
    assert.ok(lent.every((connection) => !connection.isOpen));
    assert.equal(pool.statistics.idle, 0);
  });

  it('never lends a connection again that was lent when it was cleared', async () => {
    await poolOf({});
    const old = await pool.checkOut();
    pool.clear();
    assert.equal(old.isOpen, true);
    pool.checkIn(old);
    assert.equal(old.isOpen, false);
    const young = await pool.checkOut();
    assert.notEqual(young, old);
    pool.checkIn(young);
  });

  it('tells one waiter of a failed connect, and tries again for the others', async () => {
    let attempts = 0;
    await poolOf({
      maxSize: 1,
      connect(): Promise<Connection> {
        attempts += 1;
        return attempts === 1 ? Promise.reject(new NetworkError('refused')) : peer.connect();
      },
    });
    const outcomes = await Promise.allSettled([pool.checkOut(), pool.checkOut()]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['rejected', 'fulfilled'],
    );
  });

  it('does not take back what it did not lend, nor twice', async () => {
    await poolOf({});
    const connection = await pool.checkOut();
    pool.checkIn(connection);
    pool.checkIn(connection);
    const stranger = await peer.connect();
    pool.checkIn(stranger);
    assert.equal(pool.statistics.idle, 1);
    stranger.close();
  });

  it('fails those who wait when it is closed, and ends what comes back', async () => {
    await poolOf({ maxSize: 1 });
    const connection = await pool.checkOut();
    const waiting = pool.checkOut();
    pool.close();
    await assert.rejects(waiting, /pool is closed/);
    await assert.rejects(pool.checkOut(), /pool is closed/);
    assert.equal(connection.isOpen, true);
    pool.checkIn(connection);
    assert.equal(connection.isOpen, false);
  });
});
