/**
 * Replies: a command's result as raw BSON, with `ok`, and errors as MongoDB shapes them.
 *
 * Owns: the one builder that replies are written with (a reply is written in one synchronous step, so one is enough).
 */
import { serialize } from 'bson';
import { CommandError } from '../../common/errors.ts';
import { MAX_MESSAGE_BYTES } from '../../common/limits.ts';
import { DocumentBuilder, RawValue, indexName } from '../../bson/index.ts';

/**
 * A value in a reply. An integral number becomes int32 or int64, another one a double: say `doubleValue(1)` where MongoDB
 * answers a double. A Buffer is one BSON document. undefined leaves the field out.
 */
export type ReplyValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Date
  | Buffer
  | RawValue
  | readonly ReplyValue[]
  | { readonly [name: string]: ReplyValue };

export type ReplyFields = Readonly<Record<string, ReplyValue>>;

/**
 * What a command answers, without `ok`: fields, or a function that writes them (for replies of many documents), or a
 * whole document whose fields are copied.
 */
export type ReplyBody = ReplyFields | Buffer | ((out: DocumentBuilder) => void);

const out = new DocumentBuilder(16 * 1024);

/** What a message needs besides its body, and more. */
const MESSAGE_OVERHEAD_BYTES = 1024;
const MAX_REPLY_BYTES = MAX_MESSAGE_BYTES - MESSAGE_OVERHEAD_BYTES;

/**
 * The reply of a command that succeeded.
 * @param extra further fields, such as writeConcernError.
 * @throws CommandError BSONObjectTooLarge for what no message can carry.
 */
export function successReply(body: ReplyBody, extra?: ReplyFields): Buffer {
  out.clear();
  if (typeof body === 'function') body(out);
  else if (Buffer.isBuffer(body)) out.appendElementsOf(body);
  else appendFields(out, body);
  if (extra !== undefined) appendFields(out, extra);
  const reply = out.appendDouble('ok', 1).finish();
  if (reply.length <= MAX_REPLY_BYTES) return reply;
  throw new CommandError(
    'BSONObjectTooLarge',
    `the reply has ${reply.length} bytes; at most ${MAX_REPLY_BYTES} fit into a message`,
  );
}

/** A message that repeats more of its request than this is cut, characters. */
const LONGEST_MESSAGE = 1024 * 1024;

/** The reply of a command that failed. */
export function errorReply(error: CommandError, extra?: ReplyFields): Buffer {
  out.clear();
  out.appendDouble('ok', 0).appendString('errmsg', error.message.slice(0, LONGEST_MESSAGE));
  out.appendInt32('code', error.code).appendString('codeName', error.codeName);
  if (error.labels.length > 0) appendValue(out, 'errorLabels', error.labels);
  appendErrorFields(out, error);
  if (extra !== undefined) appendFields(out, extra);
  return out.finish();
}

/** The further fields that an error carries, such as keyPattern and keyValue, for a write error's entry. */
export function appendErrorFields(builder: DocumentBuilder, error: CommandError): void {
  if (Object.keys(error.fields).length > 0) builder.appendElementsOf(plainDocument(error.fields));
}

/** Writes fields from plain values. */
export function appendFields(builder: DocumentBuilder, fields: ReplyFields): void {
  for (const name of Object.keys(fields)) appendValue(builder, name, fields[name]);
}

/** The fields as a document of their own. */
export function replyDocument(fields: ReplyFields): Buffer {
  const builder = new DocumentBuilder();
  appendFields(builder, fields);
  return builder.finish();
}

/** Fields of errors hold plain values of the npm package bson, or raw values. */
function plainDocument(fields: Readonly<Record<string, unknown>>): Buffer {
  const builder = new DocumentBuilder();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof RawValue) builder.append(name, value);
    else if (Buffer.isBuffer(value)) builder.appendDocument(name, value);
    else builder.appendElementsOf(Buffer.from(serialize({ [name]: value })));
  }
  return builder.finish();
}

function appendValue(builder: DocumentBuilder, name: string, value: ReplyValue): void {
  if (value === undefined) return;
  if (typeof value === 'object') appendObject(builder, name, value);
  else if (typeof value === 'string') builder.appendString(name, value);
  else if (typeof value === 'boolean') builder.appendBoolean(name, value);
  else if (typeof value === 'bigint') builder.appendInt64(name, value);
  else if (Number.isSafeInteger(value)) builder.appendInteger(name, value);
  else builder.appendDouble(name, value);
}

function appendObject(
  builder: DocumentBuilder,
  name: string,
  value: Extract<ReplyValue, object | null>,
): void {
  if (value === null) builder.appendNull(name);
  else if (value instanceof RawValue) builder.append(name, value);
  else if (Buffer.isBuffer(value)) builder.appendDocument(name, value);
  else if (value instanceof Date) builder.appendDate(name, value.getTime());
  else if (isList(value)) {
    builder.beginArray(name);
    for (const [index, element] of value.entries()) appendValue(builder, indexName(index), element);
    builder.end();
  } else {
    builder.beginDocument(name);
    appendFields(builder, value);
    builder.end();
  }
}

function isList(value: object): value is readonly ReplyValue[] {
  return Array.isArray(value);
}
