/**
 * SCRAM-SHA-256 and SCRAM-SHA-1: proves to the server that the password is known, and that the server knows it too.
 * Source: RFC 5802, RFC 7677; driver specification "Authentication".
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Binary, deserialize, serialize, type Document } from 'bson';
import type { Connection, RequestOptions } from '../../../wire/index.ts';
import { MongoRuntimeError } from '../../errors/driver-errors.ts';
import { MongoServerError } from '../../errors/mongo-error.ts';
import type { Credentials } from '../../options/credentials.ts';

const deriveKey = promisify(pbkdf2);
/** Fewer would make a stolen exchange cheap to break: whoever asks for them is no server of ours. */
const LEAST_ITERATIONS = 4096;

type Digest = 'sha256' | 'sha1';

/** The mechanism to speak: the one asked for, else the best that the server has for this user. */
export function mechanismFor(
  { mechanism }: Credentials,
  offered: unknown,
): 'SCRAM-SHA-256' | 'SCRAM-SHA-1' {
  if (mechanism !== 'DEFAULT') return mechanism;
  return Array.isArray(offered) && !offered.includes('SCRAM-SHA-256')
    ? 'SCRAM-SHA-1'
    : 'SCRAM-SHA-256';
}

/** @throws MongoServerError when the server refuses, MongoRuntimeError when it answers what it must not. */
export async function authenticate(
  connection: Connection,
  credentials: Credentials,
  mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-1',
  limits: RequestOptions,
): Promise<void> {
  const digest: Digest = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha1';
  const nonce = randomBytes(24).toString('base64');
  const first = `n=${escaped(credentials.username)},r=${nonce}`;
  const ask = (command: Document): Promise<Document> =>
    run(connection, { ...command, $db: credentials.source }, limits);

  const started = await ask({
    saslStart: 1,
    mechanism,
    payload: new Binary(Buffer.from(`n,,${first}`)),
    autoAuthorize: 1,
    options: { skipEmptyExchange: true },
  });
  const challenge = textOf(started);
  const { r: serverNonce = '', s: salt = '', i = '0' } = attributesOf(challenge);
  const iterations = Number(i);
  if (!serverNonce.startsWith(nonce)) {
    throw new MongoRuntimeError(`Server returned an invalid nonce: ${serverNonce}`);
  }
  if (!(iterations >= LEAST_ITERATIONS)) {
    throw new MongoRuntimeError(`Server returned an invalid iteration count ${iterations}`);
  }

  const bytes = digest === 'sha256' ? 32 : 20;
  const salted = await deriveKey(
    passwordFor(digest, credentials),
    Buffer.from(salt, 'base64'),
    iterations,
    bytes,
    digest,
  );
  const clientKey = hmac(digest, salted, 'Client Key');
  const withoutProof = `c=biws,r=${serverNonce}`;
  const whole = `${first},${challenge},${withoutProof}`;
  const storedKey = createHash(digest).update(clientKey).digest();
  const proof = xor(clientKey, hmac(digest, storedKey, whole)).toString('base64');

  let reply = await ask({
    saslContinue: 1,
    conversationId: started['conversationId'],
    payload: new Binary(Buffer.from(`${withoutProof},p=${proof}`)),
  });
  const expected = hmac(digest, hmac(digest, salted, 'Server Key'), whole);
  const signature = Buffer.from(attributesOf(textOf(reply))['v'] ?? '', 'base64');
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw new MongoRuntimeError('Server returned an invalid signature');
  }
  while (reply['done'] !== true) {
    reply = await ask({
      saslContinue: 1,
      conversationId: reply['conversationId'],
      payload: new Binary(Buffer.alloc(0)),
    });
  }
}

async function run(
  connection: Connection,
  command: Document,
  limits: RequestOptions,
): Promise<Document> {
  const { body } = await connection.request(Buffer.from(serialize(command)), limits);
  const reply = deserialize(body);
  if (reply['ok'] !== 1) throw new MongoServerError(reply);
  return reply;
}

function textOf(reply: Document): string {
  const payload: unknown = reply['payload'];
  return payload instanceof Binary ? Buffer.from(payload.value()).toString() : '';
}

function attributesOf(text: string): Record<string, string | undefined> {
  return Object.fromEntries(text.split(',').map((part) => [part[0] ?? '', part.slice(2)]));
}

function escaped(username: string): string {
  return username.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/** SHA-1 hashes what old servers stored; SHA-256 takes the password in a normal form (RFC 4013, of which NFKC is the part that matters). */
function passwordFor(digest: Digest, { username, password }: Credentials): string {
  if (digest === 'sha256') return password.normalize('NFKC');
  return createHash('md5').update(`${username}:mongo:${password}`).digest('hex');
}

function hmac(digest: Digest, key: Buffer, text: string): Buffer {
  return createHmac(digest, key).update(text).digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}
