/**
 * OP_COMPRESSED: another message, compressed.
 *
 * Promises: nothing is allocated or decompressed before the claimed size has been checked against the message limit and
 * against what the algorithm can do; the result has exactly the claimed size; a compressed compressed message is
 * refused. Small messages are done at once, large ones off the event loop: only those return a promise.
 * Bytes: docs/format.md#op_compressed. Source: driver specification "OP_COMPRESSED".
 */
import { uassert } from '../common/assert.ts';
import { CommandError } from '../common/errors.ts';
import { MAX_MESSAGE_BYTES } from '../common/limits.ts';
import type { Compressor } from './compressors/compressor.ts';
import { compressorById } from './compressors/registry.ts';
import { MESSAGE_HEADER, OpCode, writeHeader } from './header.ts';

/** Fixed part of an OP_COMPRESSED. docs/format.md#op_compressed */
const OP_COMPRESSED = {
  originalOpCode: MESSAGE_HEADER.size, // i32
  uncompressedSize: MESSAGE_HEADER.size + 4, // i32  without the header
  compressorId: MESSAGE_HEADER.size + 8, // u8
  compressedMessage: MESSAGE_HEADER.size + 9,
} as const;

/** A message as if it had never been compressed. */
export interface PlainMessage {
  readonly message: Buffer;
  /** How it came: a reply goes back by the same. undefined: not compressed. */
  readonly compressor: Compressor | undefined;
}

/** What a whole message takes in memory once it is decompressed, as it says of itself, bytes. */
export function unpackedBytes(message: Buffer): number {
  const isCompressed = message.readInt32LE(MESSAGE_HEADER.opCode) === OpCode.compressed;
  if (!isCompressed || message.length < OP_COMPRESSED.compressedMessage) return message.length;
  const claimed = message.readInt32LE(OP_COMPRESSED.uncompressedSize);
  return message.length + Math.min(Math.max(claimed, 0), MAX_MESSAGE_BYTES);
}

/**
 * Undoes OP_COMPRESSED; any other message is returned as it is.
 * @param message a whole message.
 * @param accepted the compressors agreed on in the handshake; absent: all.
 * @throws CommandError (also as the promise's rejection). The connection must close then.
 */
export function decompressMessage(
  message: Buffer,
  accepted?: readonly string[],
): PlainMessage | Promise<PlainMessage> {
  if (message.readInt32LE(MESSAGE_HEADER.opCode) !== OpCode.compressed) {
    return { message, compressor: undefined };
  }
  const compressor = checkedCompressor(message, accepted);
  const bytes = message.readInt32LE(OP_COMPRESSED.uncompressedSize);
  const compressed = message.subarray(OP_COMPRESSED.compressedMessage);
  checkClaim(bytes, compressed.length, compressor);
  if (Math.max(bytes, compressed.length) > compressor.decompressInlineBytes) {
    return compressor
      .decompress(compressed, bytes)
      .catch(damaged)
      .then((plain) => restoreSlowly(message, plain, bytes))
      .then((whole) => ({ message: whole, compressor }));
  }
  let plain: Buffer;
  try {
    plain = compressor.decompressSync(compressed, bytes);
  } catch (error) {
    return damaged(error);
  }
  return { message: restoreMessage(message, plain, bytes), compressor };
}

function checkedCompressor(message: Buffer, accepted: readonly string[] | undefined): Compressor {
  uassert(
    message.length >= OP_COMPRESSED.compressedMessage,
    'BadValue',
    'Invalid compressed message header',
  );
  uassert(
    message.readInt32LE(OP_COMPRESSED.originalOpCode) !== OpCode.compressed,
    'BadValue',
    'A compressed message may not be compressed again',
  );
  const compressor = compressorById(message[OP_COMPRESSED.compressorId] ?? 0);
  uassert(
    accepted === undefined || accepted.includes(compressor.name),
    'BadValue',
    'Compressor was not negotiated for this connection',
  );
  return compressor;
}

function checkClaim(bytes: number, compressedBytes: number, compressor: Compressor): void {
  uassert(bytes >= 0, 'BadValue', 'Decompressed message would be negative in size');
  uassert(
    bytes + MESSAGE_HEADER.size <= MAX_MESSAGE_BYTES,
    'BadValue',
    'Decompressed message would be larger than maximum message size',
  );
  uassert(
    bytes <= compressedBytes * compressor.largestRatio,
    'BadValue',
    'Decompressed message would be larger than its compressed form allows',
  );
}

function damaged(error: unknown): never {
  throw new CommandError('BadValue', 'Compressed message could not be decompressed', {
    cause: error,
  });
}

function restoreMessage(compressed: Buffer, plain: Buffer, claimedBytes: number): Buffer {
  const message = beginMessage(compressed, plain, claimedBytes);
  plain.copy(message, MESSAGE_HEADER.size);
  return message;
}

/** So much is copied before others get their turn: fresh memory is paid for when it is first written to. */
const COPIED_AT_ONCE_BYTES = 2 * 1024 * 1024;

async function restoreSlowly(
  compressed: Buffer,
  plain: Buffer,
  claimedBytes: number,
): Promise<Buffer> {
  const message = beginMessage(compressed, plain, claimedBytes);
  for (let start = 0; start < plain.length; start += COPIED_AT_ONCE_BYTES) {
    plain.copy(message, MESSAGE_HEADER.size + start, start, start + COPIED_AT_ONCE_BYTES);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return message;
}

/** The message's memory, with its header. */
function beginMessage(compressed: Buffer, plain: Buffer, claimedBytes: number): Buffer {
  uassert(
    plain.length === claimedBytes,
    'BadValue',
    'Decompressing message returned less data than expected',
  );
  const message = Buffer.allocUnsafeSlow(MESSAGE_HEADER.size + plain.length);
  writeHeader(message, {
    requestId: compressed.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: compressed.readInt32LE(MESSAGE_HEADER.responseTo),
    opCode: compressed.readInt32LE(OP_COMPRESSED.originalOpCode),
  });
  return message;
}

/** Wraps a whole message, also one that gets no shorter: a peer that compressed its request expects a compressed reply. */
export function compressMessage(message: Buffer, compressor: Compressor): Buffer | Promise<Buffer> {
  const plain = message.subarray(MESSAGE_HEADER.size);
  if (plain.length > compressor.compressInlineBytes) {
    return compressor
      .compress(plain)
      .then((compressed) => wrapMessage(message, compressed, compressor));
  }
  return wrapMessage(message, compressor.compressSync(plain), compressor);
}

function wrapMessage(message: Buffer, compressed: Buffer, compressor: Compressor): Buffer {
  const bytes = OP_COMPRESSED.compressedMessage + compressed.length;
  const wrapped = Buffer.allocUnsafe(bytes);
  writeHeader(wrapped, {
    requestId: message.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: message.readInt32LE(MESSAGE_HEADER.responseTo),
    opCode: OpCode.compressed,
  });
  wrapped.writeInt32LE(message.readInt32LE(MESSAGE_HEADER.opCode), OP_COMPRESSED.originalOpCode);
  wrapped.writeInt32LE(message.length - MESSAGE_HEADER.size, OP_COMPRESSED.uncompressedSize);
  wrapped[OP_COMPRESSED.compressorId] = compressor.id;
  compressed.copy(wrapped, OP_COMPRESSED.compressedMessage);
  return wrapped;
}
