/**
 * The forms in which documents travel over HTTP, and which of them a request speaks and wants to hear.
 *
 * Owns: the table of media types. Never: knows a route.
 * Sources: RFC 9110 section 12 (content negotiation); MongoDB's specification "Extended JSON".
 */
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_INTERNAL_BYTES, MAX_MESSAGE_BYTES } from '../../../common/limits.ts';
import {
  MAX_MESSAGE_LEVELS,
  parseExtendedJson,
  toExtendedJsonText,
  validateDocument,
} from '../../../bson/index.ts';
import { decodeMessagePack } from './message-pack-decode.ts';
import { encodeMessagePack } from './message-pack-encode.ts';

export interface Format {
  readonly mediaType: string;
  /** Further names that clients send. */
  readonly aliases: readonly string[];
  /** Largest request, bytes: a text is parsed in one go, and takes many times its size. */
  readonly maxBodyBytes: number;
  /** @throws CommandError for bytes that are no document in this form. */
  decode(body: Buffer): Buffer;
  encode(document: Buffer): Buffer | string;
}

const MAX_TEXT_BYTES = MAX_BSON_INTERNAL_BYTES + 1024 * 1024;

function jsonFormat(mediaType: string, aliases: readonly string[], relaxed: boolean): Format {
  return {
    mediaType,
    aliases,
    maxBodyBytes: MAX_TEXT_BYTES,
    // Both forms of Extended JSON are read alike.
    decode: (body) => checked(parseExtendedJson(textOf(body))),
    encode: (document) => toExtendedJsonText(document, { relaxed }),
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** @throws CommandError: other bytes in its place would be stored without a word. */
function textOf(body: Buffer): string {
  try {
    return UTF8.decode(body);
  } catch (error) {
    throw new CommandError('FailedToParse', 'JSON: the text is not UTF-8', { cause: error });
  }
}

export const RELAXED = jsonFormat('application/json', [], true);
export const CANONICAL = jsonFormat('application/ejson', [], false);
export const MESSAGE_PACK: Format = {
  mediaType: 'application/msgpack',
  aliases: ['application/vnd.msgpack', 'application/x-msgpack'],
  maxBodyBytes: MAX_MESSAGE_BYTES,
  decode: (body) => checked(decodeMessagePack(body)),
  encode: encodeMessagePack,
};
export const BSON: Format = {
  mediaType: 'application/bson',
  aliases: ['application/x-bson'],
  maxBodyBytes: MAX_MESSAGE_BYTES,
  decode: checked,
  encode: (document) => document,
};

export const FORMATS: readonly Format[] = [RELAXED, CANONICAL, MESSAGE_PACK, BSON];

/** One document a line. */
export const LINES_TYPE = 'application/x-ndjson';
const LINES_ALIASES: readonly string[] = [LINES_TYPE, 'application/ndjson', 'application/jsonl'];

/** How the answer is to look. */
export interface Wanted {
  readonly format: Format;
  /** Documents come one a line, as they are found. */
  readonly asLines: boolean;
}

/** @returns undefined: nobody here speaks it. */
export function formatOfContent(contentType: string | undefined): Format | undefined {
  if (contentType === undefined) return undefined;
  return formatNamed(mediaTypeOf(contentType));
}

/**
 * The best that the client accepts and the server has.
 * @param own what the request itself is written in: for who accepts anything.
 * @returns undefined: nothing that the client accepts is here.
 */
export function wantedFormat(accept: string | undefined, own: Format): Wanted | undefined {
  const ranges = (accept ?? '*/*').split(',').map(parseRange);
  const best = ranges
    .filter(({ quality }) => quality > 0)
    .map((range) => ({ ...range, wanted: wantedBy(range, own) }))
    .filter(({ wanted }) => wanted !== undefined)
    // Of equally good ones the first; one that is named beats a wildcard.
    .sort((a, b) => b.quality - a.quality || Number(b.isNamed) - Number(a.isNamed));
  return best[0]?.wanted;
}

interface AcceptedRange {
  readonly mediaType: string;
  readonly quality: number;
  readonly isNamed: boolean;
  readonly isCanonical: boolean;
}

function parseRange(text: string): AcceptedRange {
  const [first = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return {
    mediaType: first,
    quality: quality === undefined ? 1 : Number(quality) || 0,
    isNamed: !first.endsWith('*'),
    isCanonical: parameters.includes('mode=canonical'),
  };
}

function wantedBy({ mediaType, isCanonical }: AcceptedRange, own: Format): Wanted | undefined {
  if (mediaType === '*/*' || mediaType === 'application/*') return { format: own, asLines: false };
  if (LINES_ALIASES.includes(mediaType)) {
    return { format: isCanonical ? CANONICAL : RELAXED, asLines: true };
  }
  const format = formatNamed(mediaType);
  return format === undefined ? undefined : { format, asLines: false };
}

function formatNamed(mediaType: string): Format | undefined {
  return FORMATS.find(
    (format) => format.mediaType === mediaType || format.aliases.includes(mediaType),
  );
}

function mediaTypeOf(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

function checked(document: Buffer): Buffer {
  validateDocument(document, { maxDepth: MAX_MESSAGE_LEVELS, maxBytes: MAX_MESSAGE_BYTES });
  return document;
}
