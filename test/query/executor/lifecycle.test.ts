/**
 * How executors live: turns, interruption, batches over several views, memory.
 */
import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { type Interruption, uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  planAggregate,
  planQuery,
  type PlanExecutor,
  Scheduler,
  simpleContext,
  type TurnClient,
} from '../../../query/index.ts';
import type { ReadView } from '../../../storage/index.ts';
import { bytes, collectRaw, context, type Plain, plain, rawRequest, TestStore } from './store.ts';

/** A clock that ages by a fixed step each time it is asked: every check finds the slice used up. */
class AgeingClock extends ManualClock {
  override monotonicMs(): number {
    this.advance(3);
    return super.monotonicMs();
  }
}

const slowContext = simpleContext(new AgeingClock(), new SeededRandom(1));

/** The view of a scan without snapshot, which each pause renews. */
class RenewedViews {
  view: ReadView;
  renewed = 0;
  private readonly store: TestStore;

  constructor(store: TestStore) {
    this.store = store;
    this.view = store.engine.snapshot();
  }

  readonly renew = (): ReadView => {
    this.view.close();
    this.renewed += 1;
    this.view = this.store.engine.snapshot();
    return this.view;
  };
}

const MANY: readonly Plain[] = Array.from({ length: 500 }, (_, i) => ({ _id: i, k: i % 7 }));

async function takeWhole(executor: PlanExecutor, count: number): Promise<Plain[]> {
  const documents: Plain[] = [];
  while (documents.length < count) {
    const document = await executor.next();
    if (document === undefined) break;
    documents.push(plain(document));
  }
  return documents;
}

async function take(executor: PlanExecutor, count: number): Promise<unknown[]> {
  return (await takeWhole(executor, count)).map((document) => document['_id']);
}

describe('an executor', () => {
  let store: TestStore;

  before(async () => {
    store = await TestStore.open(MANY, [{ v: 2, key: { k: 1 }, name: 'k_1' }]);
  });

  after(() => store.close());

  function plan(view: ReadView, request: Parameters<typeof rawRequest>[0], using = context) {
    return planQuery(view, view.collection(store.namespace), rawRequest(request), using);
  }

  it('gives up its turn when its slice is over, and loses nothing', async () => {
    const view = store.engine.snapshot();
    let turns = 0;
    const count = (): void => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    let done = false;
    setImmediate(count);
    const executor = plan(view, { filter: { k: 3 }, hint: { $natural: 1 } }, slowContext);
    const found = await collectRaw(executor.open(view, uninterruptible));
    done = true;
    assert.equal(found.length, 71);
    assert.ok(turns > 5, `only ${turns} turns of the event loop passed`);
    view.close();
  });

  it('ends with the reason of its interruption at the next yield', async () => {
    const view = store.engine.snapshot();
    const reason = new CommandError('MaxTimeMSExpired', 'operation exceeded time limit');
    let asked = 0;
    const interruption: Interruption = {
      get reason() {
        asked += 1;
        return asked > 3 ? reason : undefined;
      },
      throwIfInterrupted() {
        const now = this.reason;
        if (now !== undefined) throw now;
      },
      onInterrupt: () => () => {},
    };
    const executor = plan(view, { filter: { k: 99 }, hint: { $natural: 1 } }, slowContext).open(
      view,
      interruption,
    );
    await assert.rejects(async () => executor.next(), reason);
    executor.close();
    view.close();
  });

  for (const [name, request] of [
    ['a collection scan', { filter: { _id: { $gte: 0 } }, hint: { $natural: 1 as const } }],
    ['an index scan', { filter: { k: { $gte: 0 } }, hint: 'k_1' }],
    ['a sort', { sort: { k: 1, _id: 1 } }],
  ] as const) {
    it(`goes on in another view after detach: ${name}`, async () => {
      const first = store.engine.snapshot();
      const whole = await take(plan(first, request).open(first, uninterruptible), 1000);
      const executor = plan(first, request).open(first, uninterruptible);
      const batches = [await take(executor, 100)];
      executor.detach();
      first.close();
      const second = store.engine.snapshot();
      executor.attach(second, uninterruptible);
      batches.push(await take(executor, 1000));
      executor.close();
      second.close();
      assert.deepEqual(batches.flat(), whole);
    });
  }

  it('reads newer data when its view is renewed', async () => {
    const views = new RenewedViews(store);
    const executor = plan(views.view, { hint: { $natural: 1 } }, slowContext).open(
      views.view,
      uninterruptible,
      { renewView: views.renew },
    );
    await take(executor, 50);
    const write = store.engine.begin();
    write.insert(write.collection(store.namespace)!, bytes({ _id: 'late', k: 1 }));
    write.commit();
    const rest = await take(executor, 1000);
    assert.equal(rest.at(-1), 'late');
    assert.ok(views.renewed > 3);
    executor.close();
    const undo = store.engine.begin();
    const collection = undo.collection(store.namespace)!;
    const cursor = undo.scanRecords(collection, { direction: -1 });
    assert.equal(await cursor.next(), true);
    undo.delete(collection, cursor.recordId, cursor.document);
    cursor.close();
    undo.commit();
    views.view.close();
  });

  describe('whose data changed between two batches', () => {
    let changing: TestStore;

    beforeEach(async () => {
      const documents = Array.from({ length: 20 }, (_, i) => ({ _id: i, a: i % 2, s: i }));
      changing = await TestStore.open(documents, [
        { v: 2, key: { a: 1, s: 1 }, name: 'a_1_s_1' },
        { v: 2, key: { s: 1 }, name: 's_1' },
      ]);
    });

    afterEach(() => changing.close());

    /** Takes some, changes documents, takes the rest in a new view. */
    async function around(
      request: Parameters<typeof rawRequest>[0],
      change: (id: number) => Plain | undefined,
    ): Promise<readonly [first: unknown[], rest: Plain[]]> {
      const { engine, namespace } = changing;
      const before = engine.snapshot();
      const executor = planQuery(
        before,
        before.collection(namespace),
        rawRequest(request),
        context,
      ).open(before, uninterruptible);
      const first = await take(executor, 3);
      executor.detach();
      before.close();
      const write = engine.begin();
      const collection = write.collection(namespace)!;
      const cursor = write.scanRecords(collection);
      while (await cursor.next()) {
        const changed = change(Number(plain(cursor.document)['_id']));
        if (changed === undefined) continue;
        write.update(collection, cursor.recordId, cursor.document, bytes(changed));
      }
      cursor.close();
      write.commit();
      const after = engine.snapshot();
      executor.attach(after, uninterruptible);
      const rest = await takeWhole(executor, 1000);
      executor.close();
      after.close();
      return [first, rest];
    }

    it('gives nothing of a merge that does not match any more', async () => {
      const request = { filter: { a: { $in: [0, 1] } }, sort: { s: 1 }, hint: 'a_1_s_1' };
      const [first, rest] = await around(request, (id) => ({ _id: id, a: 7, s: id }));
      assert.deepEqual(first, [0, 1, 2]);
      assert.deepEqual(rest, []);
    });

    it('looks at documents when arrays came into its index', async () => {
      const request = { filter: { s: { $ne: 17 } }, hint: 's_1' };
      const [, rest] = await around(request, (id) =>
        id === 15 ? { _id: 15, a: 1, s: [16, 17] } : undefined,
      );
      const ids = rest.map((document) => document['_id']);
      assert.deepEqual(ids, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19]);
    });

    it('covers nothing where arrays came in', async () => {
      const projection = { _id: 0, a: 1, s: 1 };
      const request = { filter: { a: 1, s: { $gt: 10 } }, projection, hint: 'a_1_s_1' };
      const [, rest] = await around(request, (id) =>
        id === 19 ? { _id: 19, a: 1, s: [3, 20] } : undefined,
      );
      assert.deepEqual(rest, [
        { a: 1, s: 17 },
        { a: 1, s: [3, 20] },
      ]);
    });
  });

  it('lets go of old views while a pipeline gathers', async () => {
    const views = new RenewedViews(store);
    const namespace = store.namespace;
    const executor = planAggregate(
      views.view,
      views.view.collection(namespace),
      { pipeline: [bytes({ $group: { _id: null, count: { $sum: 1 } } })], namespace },
      slowContext,
    ).open(views.view, uninterruptible, { renewView: views.renew });
    const { view } = views;
    const counted = view.recordCount(view.collection(namespace)!);
    const result = await executor.next();
    assert.deepEqual(plain(result!), { _id: null, count: counted });
    assert.ok(views.renewed > 3);
    executor.close();
    views.view.close();
  });

  it('carries a pipeline over two views', async () => {
    const first = store.engine.snapshot();
    const pipeline = [
      { $match: { k: { $lt: 3 } } },
      { $set: { twice: { $multiply: ['$k', 2] } } },
    ].map(bytes);
    const namespace = store.namespace;
    const executor = planAggregate(
      first,
      first.collection(namespace),
      { pipeline, namespace },
      context,
    ).open(first, uninterruptible);
    const before = await take(executor, 10);
    executor.detach();
    first.close();
    const second = store.engine.snapshot();
    executor.attach(second);
    const after = await take(executor, 1000);
    assert.equal(new Set([...before, ...after]).size, 216);
    executor.close();
    second.close();
  });

  it('returns no record twice while its writer moves index keys forward', async () => {
    const write = store.engine.begin();
    const collection = write.collection(store.namespace)!;
    const request = { filter: { k: { $gte: 0 } }, hint: 'k_1' };
    const executor = plan(write, request).open(write, uninterruptible, { forWrites: true });
    let changed = 0;
    for (;;) {
      const document = await executor.next();
      if (document === undefined) break;
      const { _id, k } = plain(document) as { _id: number; k: number };
      write.update(collection, executor.recordId!, document, bytes({ _id, k: k + 1000 }));
      changed += 1;
      assert.ok(changed <= MANY.length, 'a record came back');
    }
    assert.equal(changed, MANY.length);
    executor.close();
    write.abort();
  });
});

describe('turns', () => {
  it('go round the clients, however much work each of them has', async () => {
    const scheduler = new Scheduler();
    const order: string[] = [];
    const clients: Record<string, TurnClient> = { a: {}, b: {} };
    const turn = (name: string): Promise<void> =>
      scheduler.turn(clients[name]).then(() => void order.push(name));
    await Promise.all([turn('a'), turn('a'), turn('a'), turn('b'), turn('b')]);
    assert.deepEqual(order, ['a', 'b', 'a', 'b', 'a']);
  });

  it('leave background work a small share while clients wait', async () => {
    const scheduler = new Scheduler();
    const order: string[] = [];
    const client: TurnClient = {};
    const background: TurnClient = { background: true };
    const waits: Promise<void>[] = [];
    for (let index = 0; index < 20; index += 1) {
      waits.push(scheduler.turn(client).then(() => void order.push('client')));
      waits.push(scheduler.turn(background).then(() => void order.push('background')));
    }
    await Promise.all(waits);
    assert.equal(order.slice(0, 20).filter((who) => who === 'background').length, 2);
  });
});
