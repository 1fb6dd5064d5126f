/**
 * What becomes of values between JavaScript and BSON: options that a client hands down to its databases, they to their
 * collections, and those to their operations.
 */
import {
  deserialize,
  serialize,
  type DeserializeOptions,
  type Document,
  type SerializeOptions,
} from 'bson';

export interface BSONSerializeOptions
  extends
    Pick<SerializeOptions, 'checkKeys' | 'serializeFunctions' | 'ignoreUndefined'>,
    Pick<
      DeserializeOptions,
      | 'useBigInt64'
      | 'promoteLongs'
      | 'promoteBuffers'
      | 'promoteValues'
      | 'fieldsAsRaw'
      | 'bsonRegExp'
      | 'raw'
    > {
  /** Refuse strings of replies that are no UTF-8; default true. */
  enableUtf8Validation?: boolean;
}

const NAMES = [
  'useBigInt64',
  'promoteLongs',
  'promoteBuffers',
  'promoteValues',
  'fieldsAsRaw',
  'bsonRegExp',
  'raw',
  'checkKeys',
  'serializeFunctions',
  'ignoreUndefined',
  'enableUtf8Validation',
] as const;

/** Those of an operation on top of what is inherited. */
export function resolveBsonOptions(
  options: BSONSerializeOptions | undefined,
  inherited: BSONSerializeOptions = {},
): BSONSerializeOptions {
  const resolved: Document = {};
  for (const name of NAMES) {
    const value = options?.[name] ?? inherited[name];
    if (value !== undefined) resolved[name] = value;
  }
  return resolved;
}

/** A document as bytes. A field that is undefined becomes null unless ignoreUndefined says otherwise. */
export function encodeDocument(document: Document, options: BSONSerializeOptions): Uint8Array {
  return serialize(document, {
    checkKeys: options.checkKeys ?? false,
    serializeFunctions: options.serializeFunctions ?? false,
    ignoreUndefined: options.ignoreUndefined ?? false,
  });
}

/** Bytes as a document, or as they are with `raw`. */
export function decodeDocument(bytes: Uint8Array, options: BSONSerializeOptions): Document {
  return options.raw === true ? bytes : decode(bytes, options);
}

function decode(bytes: Uint8Array, options: BSONSerializeOptions): Document {
  const { enableUtf8Validation, raw: _raw, checkKeys: _check, ...rest } = options;
  return deserialize(bytes, {
    ...rest,
    ...(enableUtf8Validation === false ? { validation: { utf8: false } } : {}),
  });
}

/**
 * A reply with a batch: the documents of the batch stay bytes, so that each is decoded when, and as, its reader wants it.
 * Numbers of the frame are numbers, but int64, which stay Long: a cursor id is one.
 */
export function decodeBatch(bytes: Uint8Array): Document {
  return deserialize(bytes, {
    promoteLongs: false,
    fieldsAsRaw: { firstBatch: true, nextBatch: true },
  });
}

/** A reply that is read field by field, whatever options the caller has for documents. */
export function decodeReply(bytes: Uint8Array, options: BSONSerializeOptions = {}): Document {
  return decode(bytes, {
    ...options,
    promoteValues: options.promoteValues ?? true,
    promoteLongs: options.promoteLongs ?? true,
  });
}
