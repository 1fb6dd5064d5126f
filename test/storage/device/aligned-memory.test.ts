import assert from 'node:assert/strict';
import {
  alignedMemoryStatistics,
  allocateAligned,
  isAligned,
  releaseAligned,
} from '../../../storage/device/aligned-memory.ts';

describe('aligned memory', () => {
  it('hands out page-aligned shared buffers of exactly the size asked for', () => {
    for (const bytes of [1, 4096, 5000, 32_768, 100_000, 1_048_576, 17_000_000]) {
      const buffer = allocateAligned(bytes);
      assert.equal(buffer.length, bytes);
      assert.equal(buffer.byteOffset % 4096, 0);
      assert.ok(buffer.buffer instanceof SharedArrayBuffer);
      assert.ok(isAligned(buffer));
      releaseAligned(buffer);
    }
  });

  it('never hands out the same memory twice', () => {
    const held = Array.from({ length: 100 }, (_, index) =>
      allocateAligned(4096 * (1 + (index % 9))).fill(index),
    );
    for (const [index, buffer] of held.entries()) {
      assert.ok(buffer.every((byte) => byte === index));
      releaseAligned(buffer);
    }
  });

  it('takes nothing more from the system for what was given back', () => {
    for (let round = 0; round < 3; round += 1) releaseAligned(allocateAligned(3_000_000));
    const before = alignedMemoryStatistics();
    for (let round = 0; round < 50; round += 1) releaseAligned(allocateAligned(3_000_000));
    assert.deepEqual(alignedMemoryStatistics(), before);
  });

  it('cuts what was given back in one size into others, and joins it again', () => {
    const fill = (bytes: number): void => {
      const held = Array.from({ length: (16 * 1024 * 1024) / bytes }, () => allocateAligned(bytes));
      for (const [index, buffer] of held.entries()) buffer.fill(index);
      assert.ok(
        held.every((buffer, index) => buffer[0] === index % 256 && buffer.at(-1) === index % 256),
      );
      // In an order that leaves holes for a long time.
      for (const odd of [1, 0]) {
        for (let index = odd; index < held.length; index += 2) releaseAligned(held[index]);
      }
    };
    // The largest first: others in this process hold parts of arenas, whose rests are too small for it.
    fill(2 * 1024 * 1024);
    const { reservedBytes, heldBytes } = alignedMemoryStatistics();
    for (const bytes of [4096, 64 * 1024, 1024 * 1024, 8192, 32 * 1024, 2 * 1024 * 1024]) {
      fill(bytes);
      const after = alignedMemoryStatistics();
      assert.deepEqual([after.reservedBytes, after.heldBytes], [reservedBytes, heldBytes]);
    }
  });

  it('refuses memory given back twice, or not from here', () => {
    const buffer = allocateAligned(4096);
    releaseAligned(buffer);
    assert.throws(() => releaseAligned(buffer), /released twice/);
    assert.throws(() => releaseAligned(Buffer.alloc(4096)), /not from here/);
  });

  it('tells ordinary memory apart', () => {
    assert.equal(isAligned(Buffer.alloc(4096)), false);
    const buffer = allocateAligned(8192);
    assert.equal(isAligned(buffer.subarray(100)), false);
    assert.equal(isAligned(buffer.subarray(4096)), true);
    releaseAligned(buffer);
  });
});
