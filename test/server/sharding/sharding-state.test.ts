import assert from 'node:assert/strict';
import { serialize } from 'bson';
import { MaxKey, MinKey, ObjectId, Timestamp, UUID } from 'mongodb';
import { ManualClock } from '../../../common/clock.ts';
import { WriteConflictError } from '../../../storage/index.ts';
import { Peers } from '../../../server/sharding/peers.ts';
import type { RoutedOperation } from '../../../server/sharding/routed-by.ts';
import { ShardingState } from '../../../server/sharding/sharding-state.ts';

/** A command that came from no router. */
class Straight implements RoutedOperation {
  readonly routedBy = undefined;
  ownership = undefined;
  readonly reads = [];
  writes = undefined;
  private readonly releases: (() => void)[] = [];

  onRelease(release: () => void): void {
    this.releases.push(release);
  }

  waitFor<Value>(promise: Promise<Value>): Promise<Value> {
    return promise;
  }

  end(): void {
    for (const release of this.releases) release();
  }
}

describe('writes without versions on a shard', () => {
  let state: ShardingState;

  beforeEach(() => {
    state = new ShardingState(new Peers(new ManualClock(), 'test'));
    state.identity = { shardName: 's0', clusterId: '0'.repeat(24), configHost: 'localhost:1' };
  });

  it('begin again after a critical section', async () => {
    const section = await state.collection('db.c').enterCriticalSection(async () => {});
    let blocker: Promise<void> | undefined;
    assert.throws(
      () => state.enterTransaction(new Straight(), 'db.c'),
      (error) => {
        assert.ok(error instanceof WriteConflictError);
        blocker = error.blocker;
        return true;
      },
    );
    section.release();
    await blocker;
    state.enterTransaction(new Straight(), 'db.c');
  });

  it('are waited for by a critical section until their operation has ended', async () => {
    const op = new Straight();
    state.enterTransaction(op, 'db.c');
    state.enterTransaction(op, 'db.c');
    const steps: string[] = [];
    const entering = state.collection('db.c').enterCriticalSection(async (drained) => {
      // One that is let in already goes on.
      state.enterTransaction(op, 'db.c');
      setImmediate(() => {
        steps.push('written');
        op.end();
      });
      await drained;
    });
    await entering;
    steps.push('entered');
    assert.deepEqual(steps, ['written', 'entered']);
  });

  it('of the background are waited for as long as one transaction takes', async () => {
    const op = new Straight();
    const section = await state.collection('db.c').enterCriticalSection(async () => {});
    const steps: string[] = [];
    const writing = state.whileWriting(op, 'db.c', () => void steps.push('written'));
    await new Promise(setImmediate);
    steps.push('released');
    section.release();
    await writing;
    assert.deepEqual(steps, ['released', 'written']);
    await state.collection('db.c').enterCriticalSection(() => assert.fail('nobody writes'));
  });

  it('of the server’s own databases and of the profile wait for nobody', async () => {
    await state.collection('config.x').enterCriticalSection(async () => {});
    state.enterTransaction(new Straight(), 'config.x');
    await state.collection('db.system.profile').enterCriticalSection(async () => {});
    state.enterTransaction(new Straight(), 'db.system.profile');
  });
});

/** A config server whose answers the test lets go one by one. */
class HeldPeers extends Peers {
  collections: Buffer[] = [];
  chunks: Buffer[] = [];
  readonly held: (() => void)[] = [];

  /** Says what is true when it is asked, and is heard later. */
  override async find(_host: string, namespace: string): Promise<Buffer[]> {
    const found = namespace === 'config.chunks' ? this.chunks : this.collections;
    await new Promise<void>((resolve) => this.held.push(resolve));
    return found;
  }

  async letGo(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) {
      for (const go of this.held.splice(0)) go();
      await new Promise(setImmediate);
    }
  }
}

describe('what a shard reads of a collection', () => {
  const uuid = new UUID();
  const epoch = new ObjectId();
  let peers: HeldPeers;
  let state: ShardingState;

  beforeEach(() => {
    peers = new HeldPeers(new ManualClock(), 'test');
    state = new ShardingState(peers);
    state.identity = { shardName: 's0', clusterId: '0'.repeat(24), configHost: 'localhost:1' };
    const timestamp = new Timestamp({ t: 1, i: 1 });
    peers.collections = [
      bytes({ _id: 'db.c', lastmodEpoch: epoch, timestamp, uuid, key: { a: 1 }, unique: false }),
    ];
    peers.chunks = [chunkOn('s0', 1)];
  });

  const bytes = (document: object): Buffer => Buffer.from(serialize(document));
  const chunkOn = (shard: string, t: number): Buffer =>
    bytes({
      _id: new ObjectId(),
      uuid,
      min: { a: new MinKey() },
      max: { a: new MaxKey() },
      shard,
      lastmod: new Timestamp({ t, i: 0 }),
    });

  it('is what is true after it was asked to read, not what another reading began with', async () => {
    const first = state.refresh(new Straight(), 'db.c');
    while (peers.held.length === 0) await new Promise(setImmediate);
    for (const go of peers.held.splice(0)) go();
    // The first reading has asked for the chunks: now they move.
    while (peers.held.length === 0) await new Promise(setImmediate);
    peers.chunks = [chunkOn('s1', 2)];
    const second = state.refresh(new Straight(), 'db.c');
    const [before, after] = await Promise.all([first, second, peers.letGo()]);
    assert.equal(before.version.major, 1);
    assert.equal(after.version.major, 0);
    assert.equal(state.collection('db.c').known, after);
  });

  it('does not come back when it was forgotten while it was read', async () => {
    const reading = state.refresh(new Straight(), 'db.c');
    while (peers.held.length === 0) await new Promise(setImmediate);
    peers.collections = [];
    state.forget('db.c');
    const [known] = await Promise.all([reading, peers.letGo()]);
    assert.equal(known.routing, undefined);
    assert.equal(state.collection('db.c').known?.routing, undefined);
  });
});
