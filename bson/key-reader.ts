/**
 * Reads the pieces that KeyWriter wrote, turning inverted bytes back.
 *
 * Promises: never reads past the key; a key that ends too early throws CorruptionError.
 */
import { CorruptionError } from '../common/errors.ts';
import { KEY_CLASS } from './key-classes.ts';

export function corruptKey(message: string): CorruptionError {
  return new CorruptionError('malformed', 'index key', message);
}

export class KeyReader {
  private readonly key: Buffer;
  private position = 0;
  private mask = 0;

  constructor(key: Buffer) {
    this.key = key;
  }

  get atEnd(): boolean {
    return this.position === this.key.length;
  }

  /** Whether what follows belongs to a descending field. */
  setInverted(inverted: boolean): void {
    this.mask = inverted ? 0xff : 0;
  }

  /** Switches inversion: a negative number's magnitude is inverted once more. */
  toggleInverted(): void {
    this.mask ^= 0xff;
  }

  byte(): number {
    if (this.position >= this.key.length) throw corruptKey('it ends too early');
    const byte = this.key[this.position] ^ this.mask;
    this.position += 1;
    return byte;
  }

  /** An unsigned number of `count` (0..6) bytes, most significant first. */
  bigEndian(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index += 1) value = value * 256 + this.byte();
    return value;
  }

  raw(count: number): Buffer {
    if (count > this.key.length - this.position) throw corruptKey('it ends too early');
    const bytes = Buffer.from(this.key.subarray(this.position, this.position + count));
    this.position += count;
    if (this.mask !== 0) for (let at = 0; at < count; at += 1) bytes[at] ^= 0xff;
    return bytes;
  }

  /**
   * Text up to its end, without it.
   * @param before and after bytes of room to leave around it in the Buffer that is returned.
   */
  text(before = 0, after = 0): Buffer {
    const { key, mask } = this;
    const start = this.position;
    let end = start;
    let escapes = 0;
    for (; end < key.length && (key[end] ^ mask) !== KEY_CLASS.end; end += 1) {
      if ((key[end] ^ mask) === 1) {
        escapes += 1;
        end += 1;
      }
    }
    if (end >= key.length) throw corruptKey('it ends too early');
    this.position = end + 1;
    const content = Buffer.allocUnsafe(before + end - start - escapes + after);
    let to = before;
    for (let from = start; from < end; from += 1) {
      let byte = key[from] ^ mask;
      if (byte === 1) {
        from += 1;
        byte = unescaped(key[from] ^ mask);
      }
      content[to] = byte;
      to += 1;
    }
    return content;
  }

  /** Bytes up to a 0x00, that included. */
  cstring(): Buffer {
    const content: number[] = [];
    do content.push(this.byte());
    while (content.at(-1) !== 0);
    return Buffer.from(content);
  }

  /** Whether the elements of an object or array end here; steps over the end. */
  tryEnd(): boolean {
    const ends = !this.atEnd && (this.key[this.position] ^ this.mask) === KEY_CLASS.end;
    if (ends) this.position += 1;
    return ends;
  }
}

function unescaped(byte: number): number {
  if (byte !== 1 && byte !== 2) throw corruptKey('unknown escape');
  return byte - 1;
}
