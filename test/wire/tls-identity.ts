/**
 * A self-signed certificate for 127.0.0.1, made anew in every run: no key lies in the source tree, and none expires.
 *
 * Source: RFC 5280 (fields), X.690 (DER).
 */
import { generateKeyPairSync, sign } from 'node:crypto';

const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
} as const;
const contextTag = (number: number, constructed = true): number =>
  (constructed ? 0xa0 : 0x80) | number;

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const objectId = (hex: string): Buffer => der(Tag.objectId, Buffer.from(hex, 'hex'));
const ECDSA_WITH_SHA256 = der(Tag.sequence, objectId('2a8648ce3d040302'));
const COMMON_NAME = objectId('550403');
const SUBJECT_ALT_NAME = objectId('551d11');
const BASIC_CONSTRAINTS = objectId('551d13');

function extension(id: Buffer, value: Buffer): Buffer {
  return der(Tag.sequence, id, der(Tag.octetString, value));
}

function makeIdentity(): { key: string; certificate: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = der(
    Tag.sequence,
    der(Tag.set, der(Tag.sequence, COMMON_NAME, der(Tag.utf8String, Buffer.from('localhost')))),
  );
  const time = (text: string): Buffer => der(Tag.utcTime, Buffer.from(text));
  const loopback = der(contextTag(7, false), Buffer.from([127, 0, 0, 1]));
  const isAuthority = der(Tag.boolean, Buffer.from([0xff]));
  const toBeSigned = der(
    Tag.sequence,
    der(contextTag(0), der(Tag.integer, Buffer.from([2]))),
    der(Tag.integer, Buffer.from([1])),
    ECDSA_WITH_SHA256,
    name,
    der(Tag.sequence, time('000101000000Z'), time('491231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      contextTag(3),
      der(
        Tag.sequence,
        extension(SUBJECT_ALT_NAME, der(Tag.sequence, loopback)),
        extension(BASIC_CONSTRAINTS, der(Tag.sequence, isAuthority)),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = der(
    Tag.sequence,
    toBeSigned,
    ECDSA_WITH_SHA256,
    der(Tag.bitString, Buffer.from([0]), signature),
  );
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}

const identity = makeIdentity();
export const TLS_KEY = identity.key;
export const TLS_CERTIFICATE = identity.certificate;
