/**
 * Walks the elements of one document (or array) without allocating.
 *
 * Owns: the position. Promises: never reads outside of the document, ends after at most one step per two bytes, and
 * throws CommandError InvalidBSON at bytes that are not BSON; nested values are looked at only for their length.
 */
import { malformed } from './malformed.ts';
import { nameOf } from './name-table.ts';
import { RawValue } from './raw-value.ts';
import { readInt32 } from './scalars.ts';
import { BsonType, type BsonTypeCode } from './types.ts';
import { valueEndOf } from './value-size.ts';

const NOTHING = Buffer.of(5, 0, 0, 0, 0);

export class FieldCursor {
  /** Type of the current element. Like all that follows valid only after next() gave true. */
  type: BsonTypeCode = BsonType.null;
  /** Where the current element begins: its type byte. */
  elementStart = 0;
  nameStart = 0;
  /** The NUL after the name. */
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The buffer that the cursor walks in; positions count from its start. */
  bytes: Buffer = NOTHING;
  private position = 4;
  /** The document's final NUL, which also stops every search for a name's end. */
  private limit = 4;

  /** @param start where the document begins inside `bytes`. */
  constructor(bytes?: Buffer, start = 0) {
    if (bytes !== undefined) this.reset(bytes, start);
  }

  /**
   * Starts over with another document.
   * @throws CommandError InvalidBSON when its length does not fit the buffer or its last byte is not NUL.
   */
  reset(bytes: Buffer, start = 0): this {
    const length = start + 5 > bytes.length ? 0 : readInt32(bytes, start);
    const limit = start + length - 1;
    if (length < 5 || limit >= bytes.length || bytes[limit] !== 0) {
      throw malformed('a document does not fit its bytes');
    }
    this.bytes = bytes;
    this.position = start + 4;
    this.limit = limit;
    return this;
  }

  /** Moves to the next element; false at the end. */
  next(): boolean {
    const bytes = this.bytes;
    const start = this.position;
    if (start === this.limit) return false;
    const type = bytes[start];
    let at = start + 1;
    while (bytes[at] !== 0) at += 1;
    const valueStart = at + 1;
    const end = valueEndOf(bytes, type, valueStart, this.limit);
    // The table of sizes knows every type, and only those.
    this.type = type as BsonTypeCode;
    this.elementStart = start;
    this.nameStart = start + 1;
    this.nameEnd = at;
    this.valueStart = valueStart;
    this.valueEnd = end;
    this.position = end;
    return true;
  }

  /** Name of the current element, decoded at each call but shared for frequent names. */
  get name(): string {
    return nameOf(this.bytes, this.nameStart, this.nameEnd);
  }

  /** Whether the current element has this name. Give bytes (UTF-8, no NUL) for names that may be other than ASCII often. */
  nameIs(name: string | Buffer): boolean {
    return typeof name === 'string' ? this.nameIsText(name) : this.nameIsBytes(name);
  }

  private nameIsText(name: string): boolean {
    const bytes = this.bytes;
    const start = this.nameStart;
    const length = this.nameEnd - start;
    // UTF-8 takes one to three bytes per UTF-16 unit.
    if (length < name.length || length > name.length * 3) return false;
    for (let index = 0; index < name.length; index += 1) {
      const code = name.charCodeAt(index);
      if (code > 127) return this.name === name;
      if (bytes[start + index] !== code) return false;
    }
    return length === name.length;
  }

  private nameIsBytes(name: Buffer): boolean {
    const length = this.nameEnd - this.nameStart;
    if (length !== name.length) return false;
    for (let index = 0; index < length; index += 1) {
      if (this.bytes[this.nameStart + index] !== name[index]) return false;
    }
    return true;
  }

  /** The current element's value; a view that stays valid when the cursor moves on. */
  value(): RawValue {
    return new RawValue(this.type, this.bytes, this.valueStart, this.valueEnd);
  }
}
