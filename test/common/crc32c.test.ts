import assert from 'node:assert/strict';
import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { crc32c } from '../../common/crc32c.ts';
import { SeededRandom } from '../../common/random.ts';

describe('crc32c', () => {
  it('gives the check value of the polynomial', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  });

  it("gives RFC 3720's sum of 32 zero bytes", () => {
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  });

  it('agrees with the native sum for every length, in one piece and in two', () => {
    const bytes = new SeededRandom(7).bytes(600);
    for (let length = 0; length <= bytes.length; length += 1) {
      assert.equal(crc32c(bytes, 0, length), nativeCrc32c(bytes.subarray(0, length)));
      assert.equal(crc32c(bytes, length, 600, crc32c(bytes, 0, length)), nativeCrc32c(bytes));
    }
  });
});
