import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import type { CommandError } from '../../../common/errors.ts';
import { SeededRandom } from '../../../common/random.ts';
import { TimerWheel } from '../../../common/timer-wheel.ts';
import { EMPTY_DOCUMENT } from '../../../bson/index.ts';
import { CursorRegistry } from '../../../server/cursors/cursor-registry.ts';

describe('server/cursors: registry', () => {
  const create = () => {
    const clock = new ManualClock();
    const timers = new TimerWheel(clock, (error) => {
      throw error;
    });
    const cursors = new CursorRegistry({
      timers,
      random: new SeededRandom(3),
      timeoutMs: () => 1000,
    });
    let closed = 0;
    const open = (session?: string, noTimeout = false) =>
      cursors.open({
        namespace: 'db.c',
        producer: {
          next: () => undefined,
          detach: () => {},
          attach: () => {},
          close: () => (closed += 1),
        },
        session,
        noTimeout,
        originatingCommand: EMPTY_DOCUMENT,
      });
    const reasons: CommandError[] = [];
    const user = { operationId: 1, interrupt: (reason: CommandError) => reasons.push(reason) };
    return { clock, cursors, open, user, reasons, closed: () => closed };
  };
  const request = (session?: string) => ({ namespace: 'db.c', session });

  it('gives positive ids that differ', () => {
    const { open } = create();
    const ids = new Set(Array.from({ length: 100 }, () => open().id));
    assert.equal(ids.size, 100);
    assert.ok([...ids].every((id) => id > 0n));
  });

  it('lets one operation at a time have a cursor', () => {
    const { cursors, open, user } = create();
    const cursor = open();
    assert.equal(cursors.pin(cursor.id, request(), user), cursor);
    assert.throws(() => cursors.pin(cursor.id, request(), user), { code: 143 });
    cursors.unpin(cursor, false);
    cursors.pin(cursor.id, request(), user);
    cursors.unpin(cursor, true);
    assert.throws(() => cursors.pin(cursor.id, request(), user), {
      code: 43,
      message: `cursor id ${cursor.id} not found`,
    });
  });

  it('closes the producer once, when the cursor ends', () => {
    const { cursors, open, user, closed } = create();
    const cursor = open();
    cursors.pin(cursor.id, request(), user);
    cursors.unpin(cursor, true);
    assert.equal(cursors.kill(cursor.id), 'notFound');
    assert.equal(closed(), 1);
    assert.equal(cursors.statistics().total, 0);
  });

  it('refuses another namespace and another session', () => {
    const { cursors, open, user } = create();
    const cursor = open('a');
    assert.throws(() => cursors.pin(cursor.id, { namespace: 'db.d', session: 'a' }, user), {
      code: 13,
    });
    assert.throws(() => cursors.pin(cursor.id, request('b'), user), { code: 50_738 });
    assert.throws(() => cursors.pin(cursor.id, request(), user), { code: 50_736 });
    assert.throws(() => cursors.pin(open().id, request('a'), user), { code: 50_737 });
    assert.equal(cursors.statistics().pinned, 0);
  });

  it('interrupts the operation that uses a killed cursor, and closes it afterwards', () => {
    const { cursors, open, user, reasons, closed } = create();
    const cursor = open();
    cursors.pin(cursor.id, request(), user);
    assert.equal(cursors.kill(cursor.id), 'killed');
    assert.equal(reasons[0]?.code, 237);
    assert.equal(closed(), 0);
    cursors.unpin(cursor, false);
    assert.equal(closed(), 1);
  });

  it('times idle cursors out, but not pinned ones, nor those without timeout', () => {
    const { clock, cursors, open, user } = create();
    const idle = open();
    const pinned = open();
    const eternal = open(undefined, true);
    cursors.pin(pinned.id, request(), user);
    clock.advance(1100);
    assert.deepEqual([...cursors.all()], [pinned, eternal]);
    assert.equal(cursors.statistics().timedOut, 1);
    assert.throws(() => cursors.pin(idle.id, request(), user), { code: 43 });
    cursors.unpin(pinned, false);
    clock.advance(1100);
    assert.equal(cursors.statistics().timedOut, 2);
  });

  it('times a cursor of a session out although it asks for no timeout', () => {
    const { clock, cursors, open } = create();
    open('session', true);
    clock.advance(1100);
    assert.equal(cursors.statistics().total, 0);
  });

  it('kills the cursors of a session and leaves the others', () => {
    const { cursors, open } = create();
    open('a');
    open('a');
    open('b');
    assert.equal(
      cursors.killWhere((cursor) => cursor.session === 'a'),
      2,
    );
    assert.equal(cursors.statistics().total, 1);
  });
});
