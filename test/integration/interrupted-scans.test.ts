/**
 * Running scans end within 100 ms of whatever ends them, and connections that keep the server waiting by their deadlines.
 */
import assert from 'node:assert/strict';
import { InterruptionCases, SCANS } from './interruption-cases.ts';

/** What is promised, and what a busy machine of tests may add. */
const LIMIT_MS = 100;
const ALLOWANCE_MS = 1000;
/** A deadline is looked at after it has passed once; a busy machine is late. */
const DEADLINE_ALLOWANCE_MS = 3000;

describe('interruption of scans over 100,000 documents', function () {
  this.timeout(60_000);
  let cases: InterruptionCases;

  before(async () => {
    cases = await InterruptionCases.start(100_000);
  });
  after(() => cases?.dispose());

  for (const scan of SCANS) {
    it(`by killOp: ${scan.title}`, async () => {
      expectWithin(await cases.killOp(scan), LIMIT_MS + ALLOWANCE_MS);
      await cases.expectNothingLeft();
    });

    it(`by maxTimeMS: ${scan.title}`, async () => {
      expectWithin(await cases.maxTimeMS(scan), LIMIT_MS + ALLOWANCE_MS);
      await cases.expectNothingLeft();
    });

    it(`by the end of the client: ${scan.title}`, async () => {
      expectWithin(await cases.vanishedClient(scan), LIMIT_MS + ALLOWANCE_MS);
      await cases.expectNothingLeft();
    });
  }

  it('by deadline: a connection that sends half a message', async () => {
    expectWithin(await cases.halfMessage(), DEADLINE_ALLOWANCE_MS);
    await cases.expectNothingLeft();
  });

  it('by deadline: a connection that sends a message byte by byte', async () => {
    expectWithin(await cases.drippingMessage(), DEADLINE_ALLOWANCE_MS);
    await cases.expectNothingLeft();
  });

  it('by deadline: a connection that says nothing', async () => {
    expectWithin(await cases.silentConnection(), DEADLINE_ALLOWANCE_MS);
    await cases.expectNothingLeft();
  });

  it('by deadline: a connection that never reads its reply of 100 MB', async () => {
    expectWithin(await cases.unreadReply(), DEADLINE_ALLOWANCE_MS);
    await cases.expectNothingLeft();
  });

  it('by shutdown: all of them at once', async () => {
    const { tookMs, exit } = await cases.shutdown();
    expectWithin(Math.max(...tookMs), LIMIT_MS + ALLOWANCE_MS);
    assert.deepEqual(exit, { code: 0, signal: null });
  });
});

function expectWithin(tookMs: number, limitMs: number): void {
  assert.ok(tookMs < limitMs, `it took ${Math.round(tookMs)} ms, not ${limitMs}`);
}
