import assert from 'node:assert/strict';
import { ManualClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';

const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe('the log', () => {
  it('writes one JSON object a line, in the shape of mongod', () => {
    const lines: string[] = [];
    const log = createLog({ clock: new ManualClock(START_MS), sink: (text) => lines.push(text) });
    log.withContext('conn7').write({
      severity: 'I',
      component: 'NETWORK',
      id: 22943,
      message: 'Connection accepted',
      attributes: { connectionId: 7, text: 'two\nlines' },
    });
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.indexOf('\n'), lines[0]!.length - 1);
    assert.deepEqual(JSON.parse(lines[0]!), {
      t: { $date: '2026-01-02T03:04:05.678+00:00' },
      s: 'I',
      c: 'NETWORK',
      id: 22943,
      ctx: 'conn7',
      msg: 'Connection accepted',
      attr: { connectionId: 7, text: 'two\nlines' },
    });
  });

  it('cuts attributes that a client may have filled with anything', () => {
    for (const terminal of [false, true]) {
      const lines: string[] = [];
      const sink = (text: string): void => void lines.push(text);
      const log = createLog({ clock: new ManualClock(START_MS), sink, terminal });
      const long = 'x'.repeat(5_000_000);
      const attributes = { namespace: 'd.c', found: { value: long }, text: long, none: undefined };
      log.write({ severity: 'W', component: 'STORAGE', id: 1, message: 'Long', attributes });
      const [line] = lines;
      assert.ok(line.length < 25_000, `${line.length} characters`);
      if (terminal) continue;
      const { attr, truncated } = JSON.parse(line);
      assert.equal(attr.namespace, 'd.c');
      assert.ok(attr.found.startsWith('{"value":"xxx'));
      assert.deepEqual(truncated, {
        found: { type: 'object', size: long.length + 12 },
        text: { type: 'string', size: long.length },
      });
    }
  });

  it('writes readable lines for a terminal', () => {
    const lines: string[] = [];
    const sink = (text: string): void => void lines.push(text);
    const log = createLog({ clock: new ManualClock(START_MS), sink, terminal: true });
    log.write({ severity: 'W', component: 'STORAGE', id: 1, message: 'Almost full' });
    assert.deepEqual(lines, ['2026-01-02T03:04:05.678Z W STORAGE  Almost full\n']);
  });
});
