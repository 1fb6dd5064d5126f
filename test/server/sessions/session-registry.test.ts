import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import { SessionRegistry, sessionKeyOf } from '../../../server/sessions/session-registry.ts';

describe('server/sessions: registry', () => {
  const create = () => {
    const clock = new ManualClock();
    const sessions = new SessionRegistry({
      clock,
      random: new SeededRandom(5),
      timeoutMinutes: 30,
      maxSessions: 3,
    });
    const ended: string[] = [];
    sessions.onEnd((key) => ended.push(key));
    return { clock, sessions, ended };
  };
  const HALF_HOUR_MS = 30 * 60_000;

  it('starts sessions with UUIDs of version 4', () => {
    const { sessions } = create();
    const { id } = sessions.start();
    assert.equal(id.length, 16);
    assert.equal((id[6] ?? 0) >> 4, 4);
    assert.equal((id[8] ?? 0) >> 6, 2);
  });

  it('finds a session by its id, and keeps its own copy of the id', () => {
    const { sessions } = create();
    const id = Buffer.alloc(16, 1);
    const session = sessions.use(id);
    id.fill(2);
    assert.equal(sessions.use(Buffer.alloc(16, 1)), session);
    assert.deepEqual(session.id, Buffer.alloc(16, 1));
    assert.equal(sessions.count, 1);
  });

  it('ends a session that nobody has used for half an hour, and tells who listens', () => {
    const { clock, sessions, ended } = create();
    const session = sessions.start();
    clock.advance(HALF_HOUR_MS - 1000);
    sessions.sweep();
    assert.equal(sessions.count, 1);
    sessions.use(session.id);
    clock.advance(HALF_HOUR_MS - 1000);
    sessions.sweep();
    assert.equal(sessions.count, 1);
    clock.advance(2000);
    sessions.sweep();
    assert.equal(sessions.count, 0);
    assert.deepEqual(ended, [session.key]);
  });

  it('keeps a session in which an operation runs, and counts the time from its end', () => {
    const { clock, sessions } = create();
    const session = sessions.start();
    sessions.retain(session);
    clock.advance(3 * HALF_HOUR_MS);
    sessions.sweep();
    assert.equal(sessions.count, 1);
    sessions.release(session);
    clock.advance(HALF_HOUR_MS - 1000);
    sessions.sweep();
    assert.equal(sessions.count, 1);
  });

  it('tells the end also of a session that it does not know: its cursors may be known', () => {
    const { sessions, ended } = create();
    sessions.end(sessionKeyOf(Buffer.alloc(16, 9)));
    assert.equal(ended.length, 1);
  });
});
