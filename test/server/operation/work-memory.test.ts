import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { WorkMemory } from '../../../server/operation/work-memory.ts';
import { SpillArea } from '../../../storage/index.ts';

const MEBIBYTE = 1024 * 1024;

function workMemory(holders: () => number = () => 1): WorkMemory {
  return new WorkMemory({ spill: new SpillArea(), engineBytes: 512 * MEBIBYTE, holders });
}

/** Work that ends when it is told to. */
function later(): { promise: Promise<string>; end: () => void } {
  let end = (): void => {};
  const promise = new Promise<string>((resolve) => {
    end = () => resolve('done');
  });
  return { promise, end };
}

describe('WorkMemory', () => {
  it('is shared by those who hold documents, down to a least share each', () => {
    let holders = 0;
    const work = workMemory(() => holders);
    assert.equal(work.limitBytes, 128 * MEBIBYTE);
    assert.equal(work.memoryBytes, 128 * MEBIBYTE);
    holders = 8;
    assert.equal(work.memoryBytes, 16 * MEBIBYTE);
    holders = 10_000;
    assert.equal(work.memoryBytes, 4 * MEBIBYTE);
  });

  it('lets large messages run in turn when together they exceed it, and small ones at once', async () => {
    const work = workMemory();
    const begun: number[] = [];
    const works = [24, 24, 24, 10].map((megabytes, index) => {
      const { promise, end } = later();
      const running = work.runMessage(megabytes * MEBIBYTE, () => {
        begun.push(index);
        return promise;
      });
      return { running, end };
    });
    assert.deepEqual(begun, [0, 1]);
    assert.equal(work.waitingMessages, 2);
    assert.equal(
      work.runMessage(1000, () => 'at once'),
      'at once',
    );
    works[1].end();
    await works[1].running;
    await Promise.resolve();
    assert.deepEqual(begun, [0, 1, 2, 3]);
    assert.equal(work.messageBytes, (24 + 24 + 10) * MEBIBYTE);
    for (const { end } of works) end();
    await Promise.all(works.map(async ({ running }) => running));
    assert.equal(work.messageBytes, 0);
    assert.equal(work.waitingMessages, 0);
  });

  it('goes on after work that failed, whether it waits or not', async () => {
    const work = workMemory();
    const fail = (): never => {
      throw new Error('failed');
    };
    assert.throws(() => work.runMessage(100 * MEBIBYTE, fail), /failed/);
    const { promise, end } = later();
    const first = work.runMessage(100 * MEBIBYTE, () => promise);
    const second = Promise.resolve(work.runMessage(100 * MEBIBYTE, fail));
    const refused = assert.rejects(second, /failed/);
    end();
    await first;
    await refused;
    assert.equal(work.messageBytes, 0);
  });
});
