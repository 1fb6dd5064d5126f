/**
 * Journal entries: one BSON document per write, encoded straight from raw Buffers and decoded without objects.
 *
 * Owns: names, order and types of an entry's fields. Layout: docs/format/journal.md#entry.
 * Promises: fields stand in one fixed order, so that encoding is copying and decoding is comparing.
 * Never: looks into `o`, `o2` or an image; they were validated when they came in.
 */
import { invariant } from '../../common/assert.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { CommitNumber, RecordId } from '../contract.ts';
import { readU64, writeU64 } from './integers.ts';
import type { Timestamp } from './timestamp.ts';

/** Kinds of entries, as MongoDB's oplog has them. Permanent. */
export const JOURNAL_OPERATIONS = {
  /** `o` is the document. */
  insert: 'i',
  /** `o` is the whole new document, `o2` its `_id`. */
  update: 'u',
  /** `o` is the `_id` of what was deleted. */
  delete: 'd',
  /** `o` is a command; its first field names it (JOURNAL_COMMANDS). */
  command: 'c',
  /** `o` is a message for people, such as the begin of a term. */
  noop: 'n',
} as const;

export type JournalOperationCode = (typeof JOURNAL_OPERATIONS)[keyof typeof JOURNAL_OPERATIONS];

/** First field of `o` in a command entry. Permanent; replay refuses a name that is not here. */
export const JOURNAL_COMMANDS = [
  'create',
  'drop',
  'renameCollection',
  'createIndexes',
  'startIndexBuild',
  'commitIndexBuild',
  'abortIndexBuild',
  'dropIndexes',
  'collMod',
  'applyOps',
  // Reserved for two-phase commit.
  'prepareTransaction',
  'commitTransaction',
  'abortTransaction',
] as const;

export type JournalCommandName = (typeof JOURNAL_COMMANDS)[number];

/** Value of `v` in entries of this format. */
export const JOURNAL_ENTRY_VERSION = 2;

/** What a writer says of one operation. All Buffers hold one BSON document, but for `ui`. */
export interface JournalOperation {
  readonly op: JournalOperationCode;
  /** UUID of the collection, 16 bytes. */
  readonly ui?: Buffer | undefined;
  readonly rid?: RecordId | undefined;
  readonly o: Buffer;
  readonly o2?: Buffer | undefined;
  readonly lsid?: Buffer | undefined;
  readonly txnNumber?: number | undefined;
  readonly stmtId?: number | undefined;
  /** {ts, t} of the session's write before this one. */
  readonly prevOpTime?: Buffer | undefined;
  readonly fromMigrate?: boolean | undefined;
  readonly preImage?: Buffer | undefined;
  readonly postImage?: Buffer | undefined;
}

/** What the journal adds. */
export interface JournalStamp {
  readonly timestamp: Timestamp;
  readonly term: number;
  readonly wallMs: number;
  readonly commitNumber: CommitNumber;
}

/** An entry read back. Its Buffers share the memory of `bytes`, but for `ui`, which stays. */
export interface JournalEntry extends JournalOperation {
  /** The whole document. */
  readonly bytes: Buffer;
  readonly ts: Timestamp;
  readonly t: number;
  readonly wallMs: number;
  /** undefined: more entries of the same commit follow. */
  readonly cn: CommitNumber | undefined;
}

const TYPE = {
  string: 0x02,
  document: 0x03,
  binary: 0x05,
  boolean: 0x08,
  date: 0x09,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
} as const;

const UUID_SUBTYPE = 4;
const UUID_BYTES = 16;

/** Type byte, name and NUL of an element. */
function elementHead(type: number, name: string): Buffer {
  return Buffer.from([type, ...Buffer.from(name, 'latin1'), 0]);
}

const HEAD = {
  ts: elementHead(TYPE.timestamp, 'ts'),
  t: elementHead(TYPE.int64, 't'),
  v: elementHead(TYPE.int64, 'v'),
  op: elementHead(TYPE.string, 'op'),
  wall: elementHead(TYPE.date, 'wall'),
  cn: elementHead(TYPE.int64, 'cn'),
  ui: elementHead(TYPE.binary, 'ui'),
  rid: elementHead(TYPE.int64, 'rid'),
  o: elementHead(TYPE.document, 'o'),
  o2: elementHead(TYPE.document, 'o2'),
  lsid: elementHead(TYPE.document, 'lsid'),
  txnNumber: elementHead(TYPE.int64, 'txnNumber'),
  stmtId: elementHead(TYPE.int32, 'stmtId'),
  prevOpTime: elementHead(TYPE.document, 'prevOpTime'),
  fromMigrate: elementHead(TYPE.boolean, 'fromMigrate'),
  preImage: elementHead(TYPE.document, 'preImage'),
  postImage: elementHead(TYPE.document, 'postImage'),
} as const;

/** The fields that every entry has, with zeros for what varies, and where those zeros are. */
const OPENING = Buffer.concat([
  Buffer.alloc(4),
  HEAD.ts,
  Buffer.alloc(8),
  HEAD.t,
  Buffer.alloc(8),
  HEAD.v,
  Buffer.from([JOURNAL_ENTRY_VERSION, 0, 0, 0, 0, 0, 0, 0]),
  HEAD.op,
  Buffer.from([2, 0, 0, 0, 0, 0]),
  HEAD.wall,
  Buffer.alloc(8),
]);
const TS_AT = 4 + HEAD.ts.length;
const T_AT = TS_AT + 8 + HEAD.t.length;
const OP_AT = T_AT + 8 + HEAD.v.length + 8 + HEAD.op.length + 4;
const WALL_AT = OP_AT + 2 + HEAD.wall.length;
invariant(WALL_AT + 8 === OPENING.length, 'journal entry: the opening ends with wall');

const UI_VALUE_BYTES = 4 + 1 + UUID_BYTES;

/** Exact length of an operation's entry, bytes. @param last it is the last of its commit */
export function journalEntryBytes(operation: JournalOperation, last: boolean): number {
  let bytes = OPENING.length + HEAD.o.length + operation.o.length + 1;
  if (last) bytes += HEAD.cn.length + 8;
  if (operation.ui !== undefined) bytes += HEAD.ui.length + UI_VALUE_BYTES;
  if (operation.rid !== undefined) bytes += HEAD.rid.length + 8;
  if (operation.o2 !== undefined) bytes += HEAD.o2.length + operation.o2.length;
  if (operation.lsid !== undefined) bytes += HEAD.lsid.length + operation.lsid.length;
  if (operation.txnNumber !== undefined) bytes += HEAD.txnNumber.length + 8;
  if (operation.stmtId !== undefined) bytes += HEAD.stmtId.length + 4;
  if (operation.prevOpTime !== undefined)
    bytes += HEAD.prevOpTime.length + operation.prevOpTime.length;
  if (operation.fromMigrate !== undefined) bytes += HEAD.fromMigrate.length + 1;
  if (operation.preImage !== undefined) bytes += HEAD.preImage.length + operation.preImage.length;
  if (operation.postImage !== undefined)
    bytes += HEAD.postImage.length + operation.postImage.length;
  return bytes;
}

/**
 * Writes an entry at `offset`; journalEntryBytes says how much room it takes. @returns the offset behind it.
 * A hot loop: bench/micro/storage/journal.bench.ts.
 */
export function writeJournalEntry(
  target: Buffer,
  offset: number,
  operation: JournalOperation,
  stamp: JournalStamp,
  last: boolean,
): number {
  OPENING.copy(target, offset);
  target.writeUInt32LE(stamp.timestamp.increment, offset + TS_AT);
  target.writeUInt32LE(stamp.timestamp.seconds, offset + TS_AT + 4);
  writeU64(target, stamp.term, offset + T_AT);
  target[offset + OP_AT] = operation.op.charCodeAt(0);
  writeU64(target, stamp.wallMs, offset + WALL_AT);
  let at = offset + OPENING.length;
  if (last) at = writeInt64Element(target, at, HEAD.cn, stamp.commitNumber);
  if (operation.ui !== undefined) at = writeUuid(target, at, operation.ui);
  if (operation.rid !== undefined) at = writeInt64Element(target, at, HEAD.rid, operation.rid);
  at = writeDocument(target, at, HEAD.o, operation.o);
  if (operation.o2 !== undefined) at = writeDocument(target, at, HEAD.o2, operation.o2);
  at = writeOriginFields(target, at, operation);
  target[at] = 0;
  at += 1;
  target.writeUInt32LE(at - offset, offset);
  return at;
}

/** The fields of retryable writes, migrations and images, which most entries lack. */
function writeOriginFields(target: Buffer, offset: number, operation: JournalOperation): number {
  const { lsid, txnNumber, stmtId, prevOpTime, fromMigrate, preImage, postImage } = operation;
  let at = offset;
  if (lsid !== undefined) at = writeDocument(target, at, HEAD.lsid, lsid);
  if (txnNumber !== undefined) at = writeInt64Element(target, at, HEAD.txnNumber, txnNumber);
  if (stmtId !== undefined) {
    at += HEAD.stmtId.copy(target, at);
    at = target.writeInt32LE(stmtId, at);
  }
  if (prevOpTime !== undefined) at = writeDocument(target, at, HEAD.prevOpTime, prevOpTime);
  if (fromMigrate !== undefined) {
    at += HEAD.fromMigrate.copy(target, at);
    target[at] = fromMigrate ? 1 : 0;
    at += 1;
  }
  if (preImage !== undefined) at = writeDocument(target, at, HEAD.preImage, preImage);
  if (postImage !== undefined) at = writeDocument(target, at, HEAD.postImage, postImage);
  return at;
}

function writeDocument(target: Buffer, offset: number, head: Buffer, document: Buffer): number {
  const at = offset + head.copy(target, offset);
  return at + document.copy(target, at);
}

function writeInt64Element(target: Buffer, offset: number, head: Buffer, value: number): number {
  const at = offset + head.copy(target, offset);
  writeU64(target, value, at);
  return at + 8;
}

function writeUuid(target: Buffer, offset: number, uuid: Buffer): number {
  invariant(uuid.length === UUID_BYTES, 'journal entry: ui is not a UUID');
  const at = offset + HEAD.ui.copy(target, offset);
  target.writeUInt32LE(UUID_BYTES, at);
  target[at + 4] = UUID_SUBTYPE;
  return at + 5 + uuid.copy(target, at + 5);
}

/**
 * Decodes the entry whose document begins at `offset`.
 * @throws CorruptionError: the checksum held, so whoever wrote it wrote something else (a newer version, or a bug).
 */
export function readJournalEntry(source: Buffer, offset: number): JournalEntry {
  return new EntryDecoder(source, offset).decode();
}

/** Length of the document at `offset`; at least a minimal entry's. @throws CorruptionError */
export function journalEntryLength(source: Buffer, offset: number, end: number): number {
  if (offset + OPENING.length > end) throw malformed('is shorter than any entry');
  const bytes = source.readUInt32LE(offset);
  if (bytes <= OPENING.length || offset + bytes > end) throw malformed('has a wrong length');
  return bytes;
}

/** Commit number (undefined: more entries of the commit follow) and time of an entry, without looking at the rest. */
export function journalEntryStamp(
  source: Buffer,
  offset: number,
): { readonly cn: CommitNumber | undefined; readonly ts: Timestamp } {
  const cnAt = offset + OPENING.length;
  const isLast = HEAD.cn.every((byte, index) => source[cnAt + index] === byte);
  return {
    cn: isLast ? (readU64(source, cnAt + HEAD.cn.length) as CommitNumber) : undefined,
    ts: {
      increment: source.readUInt32LE(offset + TS_AT),
      seconds: source.readUInt32LE(offset + TS_AT + 4),
    },
  };
}

class EntryDecoder {
  private readonly source: Buffer;
  private readonly start: number;
  /** Of the document's closing NUL. */
  private readonly last: number;
  private at: number;

  constructor(source: Buffer, offset: number) {
    this.source = source;
    this.start = offset;
    this.last = offset + journalEntryLength(source, offset, source.length) - 1;
    this.at = offset + OPENING.length;
  }

  decode(): JournalEntry {
    const { source, start } = this;
    this.checkOpening();
    const entry: JournalEntry = {
      bytes: source.subarray(start, this.last + 1),
      ts: {
        increment: source.readUInt32LE(start + TS_AT),
        seconds: source.readUInt32LE(start + TS_AT + 4),
      },
      t: readU64(source, start + T_AT),
      op: operationCode(source[start + OP_AT]),
      wallMs: readU64(source, start + WALL_AT),
      cn: this.tryInt64(HEAD.cn) as CommitNumber | undefined,
      ui: this.tryUuid(),
      rid: this.tryInt64(HEAD.rid) as RecordId | undefined,
      o: this.document(),
      o2: this.tryDocument(HEAD.o2),
      lsid: this.tryDocument(HEAD.lsid),
      txnNumber: this.tryInt64(HEAD.txnNumber),
      stmtId: this.tryInt32(HEAD.stmtId),
      prevOpTime: this.tryDocument(HEAD.prevOpTime),
      fromMigrate: this.tryBoolean(HEAD.fromMigrate),
      preImage: this.tryDocument(HEAD.preImage),
      postImage: this.tryDocument(HEAD.postImage),
    };
    if (this.at !== this.last || source[this.last] !== 0) throw malformed('has an unknown field');
    return entry;
  }

  /** Names, types and version of the fields that every entry has. */
  private checkOpening(): void {
    if (
      !this.isAsInOpening(4, TS_AT) ||
      !this.isAsInOpening(TS_AT + 8, T_AT) ||
      !this.isAsInOpening(T_AT + 8, OP_AT) ||
      !this.isAsInOpening(OP_AT + 1, WALL_AT)
    ) {
      throw malformed('does not begin with ts, t, v, op, wall');
    }
  }

  private isAsInOpening(from: number, to: number): boolean {
    const { source, start } = this;
    for (let index = from; index < to; index += 1) {
      if (source[start + index] !== OPENING[index]) return false;
    }
    return true;
  }

  /** True when the next element has this type and name; then moves to its value. */
  private enters(head: Buffer, leastValueBytes: number): boolean {
    const { source, at } = this;
    if (at === this.last || source[at] !== head[0] || source[at + 1] !== head[1]) return false;
    if (at + head.length + leastValueBytes > this.last) return false;
    for (let index = 2; index < head.length; index += 1) {
      if (source[at + index] !== head[index]) return false;
    }
    this.at = at + head.length;
    return true;
  }

  private document(): Buffer {
    const document = this.tryDocument(HEAD.o);
    if (document === undefined) throw malformed('has no o');
    return document;
  }

  private tryDocument(head: Buffer): Buffer | undefined {
    if (!this.enters(head, 5)) return undefined;
    const start = this.at;
    const end = start + this.source.readUInt32LE(start);
    if (end < start + 5 || end > this.last) throw malformed('holds a document of wrong length');
    this.at = end;
    return this.source.subarray(start, end);
  }

  private tryInt64(head: Buffer): number | undefined {
    if (!this.enters(head, 8)) return undefined;
    this.at += 8;
    return readU64(this.source, this.at - 8);
  }

  private tryInt32(head: Buffer): number | undefined {
    if (!this.enters(head, 4)) return undefined;
    this.at += 4;
    return this.source.readInt32LE(this.at - 4);
  }

  private tryBoolean(head: Buffer): boolean | undefined {
    if (!this.enters(head, 1)) return undefined;
    this.at += 1;
    return this.source[this.at - 1] === 1;
  }

  private tryUuid(): Buffer | undefined {
    if (!this.enters(HEAD.ui, UI_VALUE_BYTES)) return undefined;
    const uuidAt = this.at + 5;
    if (this.source[this.at] !== UUID_BYTES || this.source[this.at + 4] !== UUID_SUBTYPE) {
      throw malformed('has a ui that is no UUID');
    }
    this.at = uuidAt + UUID_BYTES;
    return sharedUuid(this.source, uuidAt);
  }
}

/** The UUID that was read last, in memory of its own. */
let lastUuid: Buffer = Buffer.alloc(UUID_BYTES);

/** The UUID at an offset: neighbouring entries, which mostly have the same one, share a Buffer. */
function sharedUuid(source: Buffer, offset: number): Buffer {
  for (let index = 0; index < UUID_BYTES; index += 1) {
    if (source[offset + index] === lastUuid[index]) continue;
    lastUuid = Buffer.from(source.subarray(offset, offset + UUID_BYTES));
    break;
  }
  return lastUuid;
}

function operationCode(byte: number): JournalOperationCode {
  switch (byte) {
    case 0x69:
      return 'i';
    case 0x75:
      return 'u';
    case 0x64:
      return 'd';
    case 0x63:
      return 'c';
    case 0x6e:
      return 'n';
    default:
      throw malformed('has an unknown op');
  }
}

function malformed(what: string): CorruptionError {
  return new CorruptionError('malformed', 'journal entry', what);
}
