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

  /** An unsigned number of `count` (1..6) bytes, most significant first. */
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

  /** Text up to its end, without it. */
  text(): Buffer {
    const content: number[] = [];
    for (;;) {
      const byte = this.byte();
      if (byte === KEY_CLASS.end) return Buffer.from(content);
      content.push(byte === 1 ? this.escaped() : byte);
    }
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

  private escaped(): number {
    const byte = this.byte();
    if (byte !== 1 && byte !== 2) throw corruptKey('unknown escape');
    return byte - 1;
  }
}
