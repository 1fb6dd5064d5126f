import assert from 'node:assert/strict';
import { FailPoints } from '../../common/failpoints.ts';
import { SeededRandom } from '../../common/random.ts';

const NAME = 'failCommand';

function firings(points: FailPoints, attempts: number): string {
  return Array.from({ length: attempts }, () => (points.fire(NAME) ? 'x' : '-')).join('');
}

describe('fail points', () => {
  let points: FailPoints;
  beforeEach(() => {
    points = new FailPoints(new SeededRandom(1));
  });

  it('never fire unless they are set', () => {
    assert.equal(firings(points, 3), '---');
  });

  it('fire as often as times says', () => {
    points.configure(NAME, { kind: 'times', times: 2 }, {});
    assert.equal(firings(points, 4), 'xx--');
  });

  it('let as many pass as skip says, then fire always', () => {
    points.configure(NAME, { kind: 'skip', skip: 2 }, {});
    assert.equal(firings(points, 4), '--xx');
  });

  it('fire with about the probability they were given', () => {
    points.configure(NAME, { kind: 'activationProbability', probability: 0.25 }, {});
    const fired = firings(points, 4000).replaceAll('-', '').length;
    assert.ok(fired > 900 && fired < 1100, `fired ${fired} times of 4000`);
  });

  it('use nothing up when their data do not fit the place', () => {
    points.configure(NAME, { kind: 'times', times: 1 }, { command: 'insert' });
    const isFor = (command: string) => (data: unknown) =>
      (data as { command: string }).command === command;
    assert.equal(points.fire(NAME, isFor('find')), undefined);
    assert.deepEqual(points.fire(NAME, isFor('insert')), { data: { command: 'insert' } });
    assert.equal(points.fire(NAME, isFor('insert')), undefined);
  });

  it('report how often they had been entered when they are set again', () => {
    assert.equal(points.configure(NAME, { kind: 'alwaysOn' }, {}), 0);
    firings(points, 3);
    assert.equal(points.configure(NAME, { kind: 'off' }, {}), 3);
    assert.equal(firings(points, 2), '--');
  });
});
