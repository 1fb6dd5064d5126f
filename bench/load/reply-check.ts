/**
 * Is it the reply we want? The first one is read in full; those that follow need only have its length and `ok: 1` at the
 * same place. Whatever differs is read in full again.
 */
import { deserialize } from 'bson';
import { parseOpMsg } from '../../wire/index.ts';
import type { Operation } from './load.ts';

/** Element `ok` of type double with the value 1. */
const OK_ELEMENT = Buffer.concat([Buffer.from([1]), Buffer.from('ok\0'), doubleBytes(1)]);

function doubleBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

export class ReplyCheck {
  private readonly operation: Operation;
  private knownLength = 0;
  private okOffset = 0;

  constructor(operation: Operation) {
    this.operation = operation;
  }

  /** @param start of a whole reply inside `buffer`. @throws Error that shows a reply that is no success. */
  check(buffer: Buffer, start: number, length: number): void {
    if (length === this.knownLength && this.okStandsAt(buffer, start + this.okOffset)) return;
    this.readInFull(buffer.subarray(start, start + length));
  }

  private okStandsAt(buffer: Buffer, offset: number): boolean {
    // The name with its type byte, and the high half of the double 1.0.
    return buffer.readUInt32LE(offset) === 0x006b6f01 && buffer[offset + 11] === 0x3f;
  }

  private readInFull(message: Buffer): void {
    const reply = deserialize(parseOpMsg(message).body);
    const failed =
      reply['ok'] !== 1 ||
      'writeErrors' in reply ||
      'writeConcernError' in reply ||
      this.isEmpty(reply);
    if (failed) throw new Error(`unexpected reply to ${this.operation}: ${JSON.stringify(reply)}`);
    this.knownLength = message.length;
    this.okOffset = message.lastIndexOf(OK_ELEMENT);
  }

  private isEmpty(reply: Record<string, unknown>): boolean {
    const cursor = reply['cursor'];
    if (typeof cursor !== 'object' || cursor === null || !('firstBatch' in cursor)) return false;
    return Array.isArray(cursor.firstBatch) && cursor.firstBatch.length === 0;
  }
}
