/**
 * Framing: makes whole messages out of the chunks that a socket happens to deliver.
 *
 * Owns: the chunks not yet handed out, and the one message that is still incomplete.
 * Invariants:
 *  1. A header is checked before a byte is allocated for its message.
 *  2. A message that arrives in one chunk is a view into it; any other is copied once, into memory of its own.
 *  3. What was handed out is never written to again.
 *  4. A peer that announces a long message and does not send it holds at most a sixteenth of the announced length.
 * Never: looks behind the header. Bytes: docs/format.md#message-header. Tests: test/wire/message-reader.test.ts.
 */
import { CommandError } from '../common/errors.ts';
import { MAX_MESSAGE_BYTES } from '../common/limits.ts';
import { MESSAGE_HEADER } from './header.ts';

/** Up to this length a message's memory is allocated at once, bytes. */
const TRUSTED_BYTES = 1024 * 1024;
/** Of a longer message this share must have arrived before all of its memory is allocated. */
const EARNEST_SHARE = 1 / 16;

export class MessageReader {
  private readonly chunks: Buffer[] = [];
  /** Bytes of chunks[0] that have been handed out or copied. */
  private consumed = 0;
  private waiting = 0;
  private readonly header = Buffer.alloc(MESSAGE_HEADER.size);
  private partial: Buffer | undefined;
  private partialLength = 0;
  private filled = 0;
  private readonly maxMessageBytes: number;

  /** @param maxMessageBytes longest message that is accepted, its header included. */
  constructor(maxMessageBytes: number = MAX_MESSAGE_BYTES) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Bytes held: chunks not yet handed out, and what has arrived of the incomplete message. 0 between two messages. */
  get bufferedBytes(): number {
    return this.waiting + this.filled;
  }

  /** Of the incomplete message: what has not arrived. 0 without one. */
  get missingBytes(): number {
    return this.partial === undefined ? 0 : this.partialLength - this.filled;
  }

  /** Takes a chunk over: the caller must not write to it again. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.waiting += chunk.length;
  }

  /**
   * The next whole message, or undefined until more chunks come.
   * @throws CommandError ProtocolError for a length that no message has: the stream is lost, the connection must close.
   */
  next(): Buffer | undefined {
    if (this.partial !== undefined) return this.fillPartial();
    const first = this.chunks[0];
    if (first === undefined || this.waiting < MESSAGE_HEADER.size) return undefined;
    const length = this.announcedLength(first);
    if (first.length - this.consumed >= length) return this.takeFromFirst(first, length);
    this.startPartial(length);
    return this.fillPartial();
  }

  private announcedLength(first: Buffer): number {
    const length =
      first.length - this.consumed >= 4
        ? first.readInt32LE(this.consumed)
        : this.peekHeader().readInt32LE(MESSAGE_HEADER.messageLength);
    if (length < MESSAGE_HEADER.size || length > this.maxMessageBytes) {
      throw new CommandError(
        'ProtocolError',
        `message length ${length} is invalid: it must be between ${MESSAGE_HEADER.size} and ${this.maxMessageBytes}`,
      );
    }
    return length;
  }

  /** The header when it lies across chunks; only called when all of it has arrived. */
  private peekHeader(): Buffer {
    let copied = 0;
    for (let index = 0; copied < MESSAGE_HEADER.size; index += 1) {
      const from = index === 0 ? this.consumed : 0;
      copied += this.chunks[index]?.copy(this.header, copied, from) ?? 0;
    }
    return this.header;
  }

  private takeFromFirst(first: Buffer, length: number): Buffer {
    const message = first.subarray(this.consumed, this.consumed + length);
    this.consumed += length;
    this.waiting -= length;
    if (this.consumed === first.length) this.dropFirst();
    return message;
  }

  private dropFirst(): void {
    this.chunks.shift();
    this.consumed = 0;
  }

  private startPartial(length: number): void {
    const bytes = length <= TRUSTED_BYTES ? length : Math.ceil(length * EARNEST_SHARE);
    this.partial = allocate(bytes);
    this.partialLength = length;
    this.filled = 0;
  }

  private fillPartial(): Buffer | undefined {
    while (this.filled < this.partialLength) {
      const first = this.chunks[0];
      if (first === undefined) return undefined;
      this.copyFrom(first, this.roomInPartial());
    }
    const message = this.partial;
    this.partial = undefined;
    this.filled = 0;
    return message;
  }

  private copyFrom(first: Buffer, target: Buffer): void {
    const copied = first.copy(target, this.filled, this.consumed);
    this.filled += copied;
    this.consumed += copied;
    this.waiting -= copied;
    if (this.consumed === first.length) this.dropFirst();
  }

  /** The partial message's memory with at least one byte free; enlarged to its full length once it has earned that. */
  private roomInPartial(): Buffer {
    let target = this.partial ?? allocate(this.partialLength);
    if (this.filled === target.length) {
      const whole = allocate(this.partialLength);
      target.copy(whole);
      target = whole;
    }
    this.partial = target;
    return target;
  }
}

/** Memory that is not shared with other Buffers: what escapes with one document must not pin a neighbour's. */
function allocate(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch (error) {
    throw new CommandError('ExceededMemoryLimit', 'no memory for an incoming message', {
      cause: error,
    });
  }
}
