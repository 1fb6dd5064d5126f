/**
 * Broken messages: the server stays up and answers others. `npm run bad-input` sends many more, and watches its memory.
 */
import assert from 'node:assert/strict';
import { runBadInput } from './bad-input-run.ts';

describe('broken messages', function () {
  this.timeout(60_000);

  it('leave the server up, and a healthy connection answering', async () => {
    const result = await runBadInput({ seed: 7, first: 0, count: 5_000 });
    assert.deepEqual(result.violations, []);
    assert.equal(result.sent, 5_000);
    assert.ok(result.healthyAnswers > 20);
    assert.ok((result.replies.get('ok') ?? 0) > 100);
    assert.ok((result.replies.get('InvalidBSON') ?? 0) > 100);
  });
});
