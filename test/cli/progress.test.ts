import assert from 'node:assert/strict';
import { byteText, documentText, Progress } from '../../cli/command-line/progress.ts';
import { ManualClock } from '../../common/clock.ts';

function shown(
  isTTY: boolean,
  quiet = false,
): { text: () => string; progress: Progress; clock: ManualClock } {
  let text = '';
  const clock = new ManualClock();
  const output = { isTTY, columns: 200, write: (more: string) => (text += more) };
  return { text: () => text, progress: new Progress({ output, clock, quiet }), clock };
}

describe('cli: progress', () => {
  it('is a bar on a terminal, with rate and time left, and makes way for lines', () => {
    const { text, progress, clock } = shown(true);
    const task = progress.begin('shop.items', { total: 1000 });
    clock.advance(1000);
    task.advance(250);
    const bar = `[######${'.'.repeat(18)}]`;
    assert.equal(
      text(),
      `\r\x1b[Kshop.items: ${bar} 25 %, 250 documents of 1,000 documents, 250 documents/s, 3 s left`,
    );
    progress.say('a line');
    assert.ok(text().endsWith('\r\x1b[Ka line\n'));
  });

  it('is drawn ten times a second at most', () => {
    const { text, progress, clock } = shown(true);
    const task = progress.begin('c');
    for (let n = 0; n < 100; n += 1) {
      clock.advance(10);
      task.advance(1);
    }
    assert.equal(text().split('\r').length - 1, 10);
  });

  it('is a plain line each ten seconds where there is no terminal', () => {
    const { text, progress, clock } = shown(false);
    const task = progress.begin('c', { total: 4_000_000, unit: 'bytes' });
    for (let n = 0; n < 20; n += 1) {
      clock.advance(1000);
      task.advance(100_000);
    }
    task.end();
    assert.equal(
      text(),
      'c: 25 %, 1.0 MB of 4.0 MB, 100.0 kB/s, 30 s left\nc: 50 %, 2.0 MB of 4.0 MB, 100.0 kB/s, 20 s left\nc: 2.0 MB in 20.0 s\n',
    );
  });

  it('says nothing when it is quiet', () => {
    const { text, progress, clock } = shown(true, true);
    const task = progress.begin('c');
    clock.advance(1000);
    task.advance(1);
    task.end();
    progress.say('x');
    assert.equal(text(), '');
  });

  it('counts for people', () => {
    assert.deepEqual([0, 999, 1000, 1_500_000, 2e12].map(byteText), [
      '0 bytes',
      '999 bytes',
      '1.0 kB',
      '1.5 MB',
      '2.0 TB',
    ]);
    assert.deepEqual([0, 1, 2000].map(documentText), [
      '0 documents',
      '1 document',
      '2,000 documents',
    ]);
  });
});
