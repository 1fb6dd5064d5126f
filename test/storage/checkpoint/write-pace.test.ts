import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { WritePace, type PaceState } from '../../../storage/checkpoint/write-pace.ts';

const MEBIBYTE = 1024 * 1024;
const BUDGET = 64 * MEBIBYTE;

interface Run {
  /** Bytes of one operation, and how long it takes to show in the delta. */
  readonly operationBytes: number;
  readonly lanes: number;
  readonly lagMs: number;
  /** How long the fold of half the budget really takes. */
  readonly foldMs: number;
  /** And how long the folds before it took. */
  readonly foldsBeforeMs: number;
}

const SLOT_MS = 500;

/** Writers who begin again as soon as they may, during one fold. @returns bytes written per half second */
function writtenDuringFold(pace: WritePace, run: Run): number[] {
  for (let fold = 0; fold < 20; fold += 1) pace.noteFold(BUDGET / 2, run.foldsBeforeMs);
  let deltaBytes = BUDGET / 2;
  const foldingBytes = BUDGET / 2;
  const arriving: { atMs: number }[] = [];
  const written: number[] = [];
  let free = run.lanes;
  const stateAt = (nowMs: number): PaceState => ({
    nowMs,
    deltaBytes,
    budgetBytes: BUDGET,
    foldingBytes,
    foldBeganMs: 0,
  });
  pace.rest(stateAt(0));
  for (let nowMs = 0; nowMs < run.foldMs; nowMs += 1) {
    while (arriving.length > 0 && arriving[0].atMs <= nowMs) {
      arriving.shift();
      deltaBytes += run.operationBytes;
      free += 1;
      const slot = Math.floor(nowMs / SLOT_MS);
      written[slot] = (written[slot] ?? 0) + run.operationBytes;
    }
    while (free > 0 && deltaBytes < BUDGET && pace.mayBegin(stateAt(nowMs))) {
      free -= 1;
      arriving.push({ atMs: nowMs + run.lagMs });
    }
  }
  assert.ok(deltaBytes <= BUDGET * 1.02, 'the delta outgrew its budget');
  return Array.from({ length: run.foldMs / SLOT_MS }, (_, slot) => written[slot] ?? 0);
}

describe('The pace of writes during a fold', () => {
  const insert = { operationBytes: 1200, lanes: 64, lagMs: 1 };
  const batch = { operationBytes: 1_200_000, lanes: 8, lagMs: 10 };

  for (const [title, operation] of [
    ['of a kilobyte', insert],
    ['of a megabyte', batch],
  ] as const) {
    it(`is even for operations ${title} when the fold takes as long as the ones before`, () => {
      const times = { foldMs: 2000, foldsBeforeMs: 2000 };
      const written = writtenDuringFold(new WritePace(), { ...operation, ...times });
      const evenly = BUDGET / 2 / written.length;
      for (const bytes of written) {
        assert.ok(bytes > evenly * 0.3, `${bytes} of ${evenly}`);
        assert.ok(bytes < evenly * 2, `${bytes} of ${evenly}`);
      }
    });

    it(`falls, but never to nothing, for operations ${title} when the fold takes four times as long`, () => {
      const times = { foldMs: 4000, foldsBeforeMs: 1000 };
      const written = writtenDuringFold(new WritePace(), { ...operation, ...times });
      for (const [slot, bytes] of written.entries()) {
        assert.ok(slot === 0 || bytes <= written[slot - 1] * 1.5, `${written.join(' ')}`);
      }
      // In the end hardly more room is left than a large operation takes.
      const share = operation.operationBytes / BUDGET;
      assert.ok(written.slice(share > 0.01 ? 0 : -1).some((bytes) => bytes > 0));
    });
  }

  it('holds nobody up when the fold will be through long before the room is used', () => {
    const slow = { operationBytes: 1000, lanes: 1, lagMs: 1 };
    const times = { foldMs: 1000, foldsBeforeMs: 1000 };
    const written = writtenDuringFold(new WritePace(), { ...slow, ...times });
    for (const bytes of written) assert.ok(bytes >= 450_000, `${bytes}`);
  });
});
