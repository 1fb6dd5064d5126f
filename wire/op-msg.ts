/**
 * OP_MSG: every command and every reply.
 *
 * Promises: parsing checks bounds and structure only, never copies, and throws nothing but CommandError; the documents
 * it returns are views into the message and *not yet validated* (validateOpMsg does that). Encoding allocates once.
 * Bytes: docs/format.md#op_msg. Source: MongoDB's manual, "OP_MSG"; the driver specification "OP_MSG".
 */
import { uassert } from '../common/assert.ts';
import { crc32c } from '../common/crc32c.ts';
import { CommandError } from '../common/errors.ts';
import { MAX_MESSAGE_BYTES, MAX_WRITE_BATCH_COUNT } from '../common/limits.ts';
import { MESSAGE_HEADER, OpCode, writeHeader } from './header.ts';

/** Fixed part of an OP_MSG. docs/format.md#op_msg */
export const OP_MSG = {
  flagBits: MESSAGE_HEADER.size, // u32
  sections: MESSAGE_HEADER.size + 4,
  /** Where the body begins when it is the first section, as this encoder and all drivers write it. */
  body: MESSAGE_HEADER.size + 4 + 1,
  checksumBytes: 4,
} as const;

/** Flag bits of an OP_MSG. Bits 0-15 are required: a receiver that does not know one must refuse the message. */
export const OpMsgFlag = {
  checksumPresent: 1 << 0,
  moreToCome: 1 << 1,
  exhaustAllowed: 1 << 16,
} as const;

const REQUIRED_FLAGS = 0xffff;
const KNOWN_FLAGS = OpMsgFlag.checksumPresent | OpMsgFlag.moreToCome | OpMsgFlag.exhaustAllowed;

const SectionKind = { body: 0, documentSequence: 1, securityToken: 2 } as const;
/** bulkWrite is the command with the most: `ops` and `nsInfo`. */
const MAX_SEQUENCES = 2;
/** Length field and terminating NUL. */
const EMPTY_DOCUMENT_BYTES = 5;

/** Section of kind 1: documents that stand for an array field of the body. */
export interface DocumentSequence {
  /** Name of the field, such as `documents`, `updates`, `deletes`. */
  readonly identifier: string;
  readonly documents: readonly Buffer[];
}

export interface OpMsg {
  readonly kind: 'msg';
  readonly requestId: number;
  readonly responseTo: number;
  readonly flags: number;
  /** The message carried a checksum (and it was right). */
  readonly checksumPresent: boolean;
  /** In a request: send no reply. In a reply: another one follows without being asked for. */
  readonly moreToCome: boolean;
  /** The sender accepts several replies to this one request. */
  readonly exhaustAllowed: boolean;
  /** Section of kind 0. */
  readonly body: Buffer;
  readonly sequences: readonly DocumentSequence[];
}

/**
 * @param message a whole message whose opcode is OP_MSG.
 * @throws CommandError: IllegalOpMsgFlag, TooManyDocumentSequences and ChecksumMismatch end the connection, the others
 *   become an error reply.
 */
export function parseOpMsg(message: Buffer): OpMsg {
  uassert(message.length >= OP_MSG.sections, 'ProtocolError', 'OP_MSG is too short for its flags');
  const flags = message.readUInt32LE(OP_MSG.flagBits);
  if ((flags & REQUIRED_FLAGS & ~KNOWN_FLAGS) !== 0) throw illegalFlags(flags);
  const checksumPresent = (flags & OpMsgFlag.checksumPresent) !== 0;
  const end = checksumPresent ? verifyChecksum(message) : message.length;
  const sections = parseSections(message, end);
  return {
    kind: 'msg',
    requestId: message.readInt32LE(MESSAGE_HEADER.requestId),
    responseTo: message.readInt32LE(MESSAGE_HEADER.responseTo),
    flags,
    checksumPresent,
    moreToCome: (flags & OpMsgFlag.moreToCome) !== 0,
    exhaustAllowed: (flags & OpMsgFlag.exhaustAllowed) !== 0,
    body: sections.body,
    sequences: sections.sequences,
  };
}

function illegalFlags(flags: number): CommandError {
  const bits = flags.toString(2).padStart(32, '0');
  return new CommandError('IllegalOpMsgFlag', `Message contains illegal flags value: Ob${bits}`);
}

/** @returns where the sections end. */
function verifyChecksum(message: Buffer): number {
  const end = message.length - OP_MSG.checksumBytes;
  uassert(
    end - OP_MSG.sections > 0,
    51251,
    'Invalid message size for an OpMsg containing a checksum',
  );
  uassert(
    message.readUInt32LE(end) === crc32c(message, 0, end),
    'ChecksumMismatch',
    'OP_MSG checksum does not match contents',
  );
  return end;
}

const NO_SEQUENCES: readonly DocumentSequence[] = [];

interface Sections {
  readonly body: Buffer;
  readonly sequences: readonly DocumentSequence[];
}

function parseSections(message: Buffer, end: number): Sections {
  let body: Buffer | undefined;
  let sequences: DocumentSequence[] | undefined;
  let offset: number = OP_MSG.sections;
  while (offset < end) {
    const kind = message[offset];
    offset += 1;
    switch (kind) {
      case SectionKind.body: {
        uassert(body === undefined, 40430, 'Multiple body sections in message');
        const bodyEnd = documentEnd(message, offset, end);
        body = message.subarray(offset, bodyEnd);
        offset = bodyEnd;
        break;
      }
      case SectionKind.documentSequence: {
        const sectionEnd = sequenceEnd(message, offset, end);
        sequences ??= [];
        addSequence(sequences, message, offset + 4, sectionEnd);
        offset = sectionEnd;
        break;
      }
      case SectionKind.securityToken:
        throw new CommandError('Unauthorized', 'Unsupported Security Token provided');
      default:
        throw new CommandError(40432, `Unknown section kind ${kind}`);
    }
  }
  uassert(body !== undefined, 40587, 'OP_MSG messages must have a body');
  return { body, sequences: sequences ?? NO_SEQUENCES };
}

/** Checks a document's length field against the bytes that are there. @returns where the document ends. */
function documentEnd(message: Buffer, offset: number, end: number): number {
  uassert(offset + 4 <= end, 'InvalidBSON', 'document is cut off before the end of its length');
  const bytes = message.readInt32LE(offset);
  uassert(bytes >= EMPTY_DOCUMENT_BYTES, 'InvalidBSON', 'document is shorter than an empty one');
  uassert(bytes <= end - offset, 'InvalidBSON', 'document is longer than the section around it');
  return offset + bytes;
}

function sequenceEnd(message: Buffer, offset: number, end: number): number {
  uassert(offset + 4 <= end, 'ProtocolError', 'document sequence is cut off before its length');
  const bytes = message.readInt32LE(offset);
  uassert(bytes > 4, 'ProtocolError', 'document sequence is too short for its identifier');
  uassert(bytes <= end - offset, 'ProtocolError', 'document sequence is longer than its message');
  return offset + bytes;
}

function addSequence(
  sequences: DocumentSequence[],
  message: Buffer,
  start: number,
  end: number,
): void {
  uassert(
    sequences.length < MAX_SEQUENCES,
    'TooManyDocumentSequences',
    'Too many document sequences in OP_MSG',
  );
  const nul = message.indexOf(0, start);
  uassert(
    nul !== -1 && nul < end,
    'ProtocolError',
    'identifier of a document sequence does not end',
  );
  const identifier = message.toString('utf8', start, nul);
  if (sequences.some((sequence) => sequence.identifier === identifier)) {
    throw new CommandError(40431, `Duplicate document sequence: ${identifier}`);
  }
  sequences.push({ identifier, documents: parseDocuments(message, nul + 1, end) });
}

/**
 * A hostile message of 48 MB has room for nine million empty documents, and their Buffers for a gigabyte: past the limit
 * of a write batch documents are only counted, and refused as the write commands refuse them.
 */
function parseDocuments(message: Buffer, start: number, end: number): Buffer[] {
  const documents: Buffer[] = [];
  let count = 0;
  for (let offset = start; offset < end; count += 1) {
    const next = documentEnd(message, offset, end);
    if (count < MAX_WRITE_BATCH_COUNT) documents.push(message.subarray(offset, next));
    offset = next;
  }
  if (count > MAX_WRITE_BATCH_COUNT) {
    throw new CommandError(
      'InvalidLength',
      `Write batch sizes must be between 1 and ${MAX_WRITE_BATCH_COUNT}. Got ${count} operations.`,
    );
  }
  return documents;
}

/** What an OP_MSG is made of. */
export interface OpMsgContents {
  readonly requestId: number;
  /** 0, or absent, in a request. */
  readonly responseTo?: number;
  readonly body: Buffer;
  readonly sequences?: readonly DocumentSequence[];
  readonly moreToCome?: boolean;
  readonly exhaustAllowed?: boolean;
  /** Append a CRC-32C: in a reply, when the request had one. */
  readonly checksum?: boolean;
}

/**
 * The whole message in one new Buffer: header, body, then the sequences.
 * @throws CommandError BSONObjectTooLarge past 48,000,000 bytes.
 */
export function encodeOpMsg(contents: OpMsgContents): Buffer {
  const checksumBytes = contents.checksum === true ? OP_MSG.checksumBytes : 0;
  const sequences = contents.sequences ?? NO_SEQUENCES;
  const bodyEnd = OP_MSG.body + contents.body.length;
  const bytes = bodyEnd + sequencesBytes(sequences) + checksumBytes;
  uassert(
    bytes <= MAX_MESSAGE_BYTES,
    'BSONObjectTooLarge',
    'the message is longer than 48000000 bytes',
  );
  const message = Buffer.allocUnsafe(bytes);
  writeHeader(message, {
    requestId: contents.requestId,
    responseTo: contents.responseTo ?? 0,
    opCode: OpCode.msg,
  });
  message.writeUInt32LE(flagsOf(contents), OP_MSG.flagBits);
  message[OP_MSG.sections] = SectionKind.body;
  contents.body.copy(message, OP_MSG.body);
  if (sequences.length > 0) writeSequences(message, bodyEnd, sequences);
  if (checksumBytes > 0) writeChecksum(message);
  return message;
}

function flagsOf(contents: OpMsgContents): number {
  let flags = 0;
  if (contents.checksum === true) flags |= OpMsgFlag.checksumPresent;
  if (contents.moreToCome === true) flags |= OpMsgFlag.moreToCome;
  if (contents.exhaustAllowed === true) flags |= OpMsgFlag.exhaustAllowed;
  return flags;
}

function sequencesBytes(sequences: readonly DocumentSequence[]): number {
  let bytes = 0;
  for (const sequence of sequences) bytes += 1 + sequenceBytes(sequence);
  return bytes;
}

/** As its size field counts: from that field to the last document. */
function sequenceBytes(sequence: DocumentSequence): number {
  let bytes = 4 + Buffer.byteLength(sequence.identifier) + 1;
  for (const document of sequence.documents) bytes += document.length;
  return bytes;
}

function writeSequences(
  message: Buffer,
  start: number,
  sequences: readonly DocumentSequence[],
): void {
  let offset = start;
  for (const sequence of sequences) {
    message[offset] = SectionKind.documentSequence;
    message.writeInt32LE(sequenceBytes(sequence), offset + 1);
    offset += 5;
    offset += message.write(sequence.identifier, offset);
    message[offset] = 0;
    offset += 1;
    for (const document of sequence.documents) offset += document.copy(message, offset);
  }
}

/** The checksum covers everything before it, the final length in the header included. */
function writeChecksum(message: Buffer): void {
  const end = message.length - OP_MSG.checksumBytes;
  message.writeUInt32LE(crc32c(message, 0, end), end);
}
