/**
 * Values as they lie in the index store: followed by the crc32c of key and value, because LMDB's pages have none.
 *
 * The key is summed, too: a value that answers for another key is found. docs/format/lmdb.md#values
 */
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError } from '../../common/errors.ts';

export const CHECKSUM_BYTES = 4;
const PART = 'index store entry';

/** Whether one entry's value is not what was written, while others can be read. */
export function isDamagedValue(error: unknown): boolean {
  return error instanceof CorruptionError && error.kind === 'checksum' && error.part === PART;
}

/** Writes the checksum behind a key and its value that stand one after the other. */
export function sealInPlace(memory: Buffer, keyStart: number, valueEnd: number): void {
  memory.writeUInt32LE(crc32c(memory, keyStart, valueEnd), valueEnd);
}

/** The value with its checksum, in memory of its own. */
export function sealedValue(key: Buffer, value: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  value.copy(sealed);
  sealed.writeUInt32LE(crc32c(value, 0, value.length, crc32c(key)), value.length);
  return sealed;
}

/** Checks a sealed value; the result shares its memory. @throws CorruptionError */
export function openValue(key: Buffer, sealed: Buffer): Buffer {
  checkValue(key, sealed);
  return sealed.subarray(0, sealed.length - CHECKSUM_BYTES);
}

/** @throws CorruptionError when the checksum is not that of this key and value. */
export function checkValue(key: Buffer, sealed: Buffer): void {
  const valueBytes = sealed.length - CHECKSUM_BYTES;
  if (
    valueBytes < 0 ||
    sealed.readUInt32LE(valueBytes) !== crc32c(sealed, 0, valueBytes, crc32c(key))
  ) {
    throw new CorruptionError(
      'checksum',
      PART,
      `the value of key ${key.toString('hex')} does not match its checksum`,
    );
  }
}
