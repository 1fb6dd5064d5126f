/**
 * Checks bytes from outside once, so that everything behind it may walk them.
 *
 * Promises: after it returned, every length, NUL, type, bool, UTF-8 text and nested end in the document is right; it
 * throws CommandError only, reads nothing outside of `bytes`, and takes linear time and constant stack.
 * Not checked, as MongoDB does not: names of array elements, repeated names, the content of decimals.
 */
import { CommandError } from '../common/errors.ts';
import { malformed, tooDeep } from './malformed.ts';
import { readInt32 } from './scalars.ts';
import { BsonType, MIN_LENGTH, NO_LENGTH, VALUE_BYTES } from './types.ts';
import { isUtf8Text } from './utf8.ts';

/** Levels that a message may have: MongoDB's 200 below the outermost document. */
export const MAX_MESSAGE_LEVELS = 201;

export interface ValidationOptions {
  /** Most levels of documents, the outermost included; MAX_BSON_DEPTH (180) for what is stored. */
  readonly maxDepth?: number;
  readonly maxBytes?: number;
}

/** Ends of the documents around the current one. Validation never re-enters itself, so one stack serves all. */
const MAX_LEVELS = 1000;
const outerEnds = new Int32Array(MAX_LEVELS);

/**
 * @param bytes exactly one document.
 * @returns how many levels of documents there are: 1 for a flat document.
 * @throws CommandError InvalidBSON (22); Overflow (15) for too deep nesting; BSONObjectTooLarge (10334).
 */
export function validateDocument(bytes: Buffer, options: ValidationOptions = {}): number {
  if (options.maxBytes !== undefined && bytes.length > options.maxBytes) {
    throw tooLarge(bytes.length, options.maxBytes);
  }
  if (bytes.length < 5 || readInt32(bytes, 0) !== bytes.length || bytes[bytes.length - 1] !== 0) {
    throw malformed('incorrect BSON length');
  }
  return walk(bytes, Math.min(options.maxDepth ?? MAX_MESSAGE_LEVELS, MAX_LEVELS));
}

/** One loop over all elements of all levels; bench/micro/bson/validate.bench.ts says why it is not cut up. */
function walk(bytes: Buffer, maxDepth: number): number {
  let depth = 1;
  let deepest = 1;
  // `end` is the final NUL of the current document: checked to be 0, so the search for a name's NUL stops there.
  let end = bytes.length - 1;
  let at = 4;
  for (;;) {
    const type = bytes[at];
    if (type === 0) {
      if (at !== end) throw malformed('incorrect BSON length');
      depth -= 1;
      if (depth === 0) return deepest;
      at += 1;
      end = outerEnds[depth];
      continue;
    }
    const nameStart = at + 1;
    let highest = 0;
    for (at = nameStart; bytes[at] !== 0; at += 1) highest |= bytes[at];
    if (highest > 127 && !isUtf8Text(bytes, nameStart, at)) {
      throw invalid(bytes, nameStart, 'name is not valid UTF-8');
    }
    const start = at + 1;
    if (MIN_LENGTH[type] === NO_LENGTH && VALUE_BYTES[type] >= 0) {
      at = start + VALUE_BYTES[type];
      if (at > end) throw pastEnd(bytes, nameStart);
      if (type === BsonType.bool && bytes[start] > 1) {
        throw invalid(bytes, nameStart, 'BSON bool is neither false nor true');
      }
      continue;
    }
    if (type === BsonType.string || type === BsonType.symbol || type === BsonType.javascript) {
      at = textEnd(bytes, start, end, nameStart);
      continue;
    }
    let nested = start;
    switch (type) {
      case BsonType.object:
      case BsonType.array:
        break;
      case BsonType.javascriptWithScope:
        nested = scopeStart(bytes, start, end, nameStart);
        break;
      default:
        at = plainEnd(bytes, type, start, end, nameStart);
        continue;
    }
    const nestedEnd = documentEnd(bytes, nested, end, nameStart);
    if (depth === maxDepth) throw tooDeep();
    outerEnds[depth] = end;
    depth += 1;
    if (depth > deepest) deepest = depth;
    end = nestedEnd - 1;
    at = nested + 4;
  }
}

/** End of the document at `start`, whose last byte is checked to be NUL. */
function documentEnd(bytes: Buffer, start: number, limit: number, nameStart: number): number {
  const length = start + 4 > limit ? -1 : readInt32(bytes, start);
  if (length < 5) throw invalid(bytes, nameStart, 'Nested BSON object has to be at least 5 bytes');
  if (start + length > limit) throw pastEnd(bytes, nameStart);
  if (bytes[start + length - 1] !== 0) {
    throw invalid(bytes, nameStart, 'BSON object not terminated with EOO');
  }
  return start + length;
}

/** End of a length-prefixed text, which must be UTF-8 and end in NUL. */
function textEnd(bytes: Buffer, start: number, limit: number, nameStart: number): number {
  const length = start + 4 > limit ? 0 : readInt32(bytes, start);
  const end = start + 4 + length;
  if (end > limit) throw pastEnd(bytes, nameStart);
  if (length < 1 || bytes[end - 1] !== 0) {
    throw invalid(bytes, nameStart, 'Not null terminated string');
  }
  if (!isUtf8Text(bytes, start + 4, end - 1)) {
    throw invalid(bytes, nameStart, 'string is not valid UTF-8');
  }
  return end;
}

/** Where the scope of a code with scope begins; its three lengths must agree. */
function scopeStart(bytes: Buffer, start: number, limit: number, nameStart: number): number {
  const length = start + 4 > limit ? 0 : readInt32(bytes, start);
  if (length < 14) throw invalid(bytes, nameStart, 'incorrect BSON length');
  if (start + length > limit) throw pastEnd(bytes, nameStart);
  const scope = textEnd(bytes, start + 4, start + length, nameStart);
  if (documentEnd(bytes, scope, start + length, nameStart) !== start + length) {
    throw invalid(bytes, nameStart, 'incorrect BSON length');
  }
  return scope;
}

/** End of a value of variable size that holds no document. */
function plainEnd(
  bytes: Buffer,
  type: number,
  start: number,
  limit: number,
  nameStart: number,
): number {
  let end: number;
  switch (type) {
    case BsonType.binData:
      end = binaryEnd(bytes, start, limit, nameStart);
      break;
    case BsonType.regex:
      end = cstringEnd(bytes, cstringEnd(bytes, start, limit, nameStart), limit, nameStart);
      break;
    case BsonType.dbPointer:
      end = textEnd(bytes, start, limit, nameStart) + 12;
      break;
    default:
      throw invalid(bytes, nameStart, `Unrecognized BSON type ${type}`);
  }
  if (end > limit) throw pastEnd(bytes, nameStart);
  return end;
}

function binaryEnd(bytes: Buffer, start: number, limit: number, nameStart: number): number {
  const length = start + 5 > limit ? -1 : readInt32(bytes, start);
  if (length < 0) throw invalid(bytes, nameStart, 'incorrect length of binary data');
  const end = start + 5 + length;
  if (end > limit) throw pastEnd(bytes, nameStart);
  // The old binary subtype repeats its length inside.
  if (bytes[start + 4] === 2 && (length < 4 || readInt32(bytes, start + 5) !== length - 4)) {
    throw invalid(bytes, nameStart, 'incorrect length of binary data');
  }
  return end;
}

/** The place after the NUL of a cstring, which must be UTF-8. */
function cstringEnd(bytes: Buffer, start: number, limit: number, nameStart: number): number {
  let at = start;
  while (at < limit && bytes[at] !== 0) at += 1;
  if (at >= limit) throw pastEnd(bytes, nameStart);
  if (!isUtf8Text(bytes, start, at))
    throw invalid(bytes, nameStart, 'regular expression is not valid UTF-8');
  return at + 1;
}

function pastEnd(bytes: Buffer, nameStart: number): CommandError {
  return invalid(bytes, nameStart, 'BSON size is larger than buffer size');
}

function invalid(bytes: Buffer, nameStart: number, message: string): CommandError {
  const nameEnd = Math.min(bytes.indexOf(0, nameStart), nameStart + 100);
  const name = bytes.toString('utf8', nameStart, nameEnd);
  return malformed(`${message} in element with field name '${name}'`);
}

function tooLarge(bytes: number, maxBytes: number): CommandError {
  return new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${bytes} (0x${bytes.toString(16).toUpperCase()}) is invalid. ` +
      `Size must be between 0 and ${maxBytes}(${Math.floor(maxBytes / (1024 * 1024))}MB)`,
  );
}
