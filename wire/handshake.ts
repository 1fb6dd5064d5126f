/**
 * The asking side's first exchange: hello with who we are and which compressors we know, and what the peer says of itself.
 *
 * Source: driver specifications "MongoDB Handshake" and "OP_COMPRESSED".
 */
import { arch, platform, release, type } from 'node:os';
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  fieldsOf,
  getField,
  stringValue,
} from '../bson/index.ts';
import { MAX_BSON_OBJECT_BYTES, MAX_MESSAGE_BYTES } from '../common/limits.ts';
import type { CompressorName } from './compressors/compressor.ts';

/** What a connection tells its peer about the program behind it; it appears in logs, currentOp and $currentOp. */
export interface ClientMetadata {
  /** The application's own name, at most 128 bytes. */
  readonly application?: string;
  readonly driver: { readonly name: string; readonly version: string };
}

/** What a peer's hello says, as far as a connection needs it. */
export interface PeerDescription {
  /** The whole reply, for who needs more. */
  readonly hello: Buffer;
  readonly maxWireVersion: number;
  readonly maxBsonObjectBytes: number;
  readonly maxMessageBytes: number;
  /** The peer's number of this connection. */
  readonly connectionId: number | undefined;
  /** Those of ours that the peer speaks, in our order. */
  readonly compressors: readonly CompressorName[];
}

/** Further fields of a hello: a server API version, the user whose mechanisms are asked for. */
export type HandshakeFields = Readonly<Record<string, string | number | boolean>>;

/** The hello command, with `$db`. */
export function helloCommand(
  metadata: ClientMetadata,
  compressors: readonly CompressorName[],
  fields: HandshakeFields = {},
): Buffer {
  return documentOf({
    hello: 1,
    helloOk: true,
    ...fields,
    client: clientDocument(metadata),
    compression: stringArray(compressors),
    $db: 'admin',
  });
}

function clientDocument(metadata: ClientMetadata): Buffer {
  return documentOf({
    ...(metadata.application === undefined
      ? {}
      : { application: documentOf({ name: metadata.application }) }),
    driver: documentOf({ ...metadata.driver }),
    os: documentOf({ type: type(), name: platform(), architecture: arch(), version: release() }),
    platform: `Node.js ${process.version}`,
  });
}

function stringArray(strings: readonly string[]) {
  const array = new ArrayBuilder();
  for (const text of strings) array.push(stringValue(text));
  return arrayValue(array.finish());
}

/** @param hello a validated reply with ok: 1. */
export function describePeer(hello: Buffer, ours: readonly CompressorName[]): PeerDescription {
  const theirs = stringsOf(hello, 'compression');
  return {
    hello,
    maxWireVersion: numberOf(hello, 'maxWireVersion') ?? 0,
    maxBsonObjectBytes: numberOf(hello, 'maxBsonObjectSize') ?? MAX_BSON_OBJECT_BYTES,
    maxMessageBytes: numberOf(hello, 'maxMessageSizeBytes') ?? MAX_MESSAGE_BYTES,
    connectionId: numberOf(hello, 'connectionId'),
    compressors: ours.filter((name) => theirs.includes(name)),
  };
}

function numberOf(document: Buffer, name: string): number | undefined {
  const value = getField(document, name);
  return value?.isNumber === true ? value.asNumber() : undefined;
}

function stringsOf(document: Buffer, name: string): string[] {
  const value = getField(document, name);
  if (value?.typeName !== 'array') return [];
  const strings: string[] = [];
  for (const [, element] of fieldsOf(value.asDocument())) {
    if (element.typeName === 'string') strings.push(element.asString());
  }
  return strings;
}
