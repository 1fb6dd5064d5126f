/**
 * SCRAM against a server that knows the password, and against some that only say so.
 */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Binary } from 'bson';
import { authenticate, mechanismFor } from '../../../client/transport/wire/scram.ts';
import type { Credentials } from '../../../client/options/credentials.ts';
import { Peer, type PeerRequest } from '../../wire/peer.ts';

const PASSWORD = 'pencil';
const SALT = Buffer.from('a fixed salt of a test');
const CREDENTIALS: Credentials = {
  username: 'us=er,name',
  password: PASSWORD,
  source: 'admin',
  mechanism: 'DEFAULT',
};

type Digest = 'sha256' | 'sha1';

interface Lies {
  readonly iterations?: number;
  readonly nonce?: string;
  readonly signature?: Buffer;
}

/** The answering side, as RFC 5802 has it. */
function scramServer(digest: Digest, lies: Lies = {}): (request: PeerRequest) => void {
  const iterations = lies.iterations ?? 4096;
  const secret =
    digest === 'sha256'
      ? PASSWORD
      : createHash('md5').update(`${CREDENTIALS.username}:mongo:${PASSWORD}`).digest('hex');
  const salted = pbkdf2Sync(secret, SALT, iterations, digest === 'sha256' ? 32 : 20, digest);
  const hmac = (key: Buffer, text: string): Buffer => createHmac(digest, key).update(text).digest();
  let exchanged = '';
  return (request) => {
    const { command } = request;
    const payload: unknown = command['payload'];
    const text = payload instanceof Binary ? Buffer.from(payload.value()).toString() : '';
    if ('saslStart' in command) {
      assert.match(text, /^n,,n=us=3Der=2Cname,r=/);
      const first = text.slice('n,,'.length);
      const nonce =
        (lies.nonce ?? first.slice(first.indexOf(',r=') + 3)) + randomBytes(9).toString('hex');
      const challenge = `r=${nonce},s=${SALT.toString('base64')},i=${iterations}`;
      exchanged = `${first},${challenge}`;
      request.reply({
        ok: 1,
        conversationId: 1,
        done: false,
        payload: new Binary(Buffer.from(challenge)),
      });
      return;
    }
    const [withoutProof = '', proof = ''] = text.split(',p=');
    const whole = `${exchanged},${withoutProof}`;
    const storedKey = createHash(digest).update(hmac(salted, 'Client Key')).digest();
    const signature = hmac(storedKey, whole);
    const clientKey = Buffer.from(proof, 'base64').map(
      (byte, index) => byte ^ (signature[index] ?? 0),
    );
    if (!createHash(digest).update(clientKey).digest().equals(storedKey)) {
      request.reply({
        ok: 0,
        code: 18,
        codeName: 'AuthenticationFailed',
        errmsg: 'Authentication failed.',
      });
      return;
    }
    const proofOfServer = lies.signature ?? hmac(hmac(salted, 'Server Key'), whole);
    const answer = Buffer.from(`v=${proofOfServer.toString('base64')}`);
    request.reply({ ok: 1, conversationId: 1, done: true, payload: new Binary(answer) });
  };
}

async function attempt(digest: Digest, lies: Lies = {}, credentials = CREDENTIALS): Promise<void> {
  const peer = await Peer.listen(scramServer(digest, lies));
  const connection = await peer.connect();
  try {
    const mechanism = digest === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1';
    await authenticate(connection, credentials, mechanism, { timeoutMs: 5000 });
  } finally {
    connection.close();
    await peer.close();
  }
}

describe('SCRAM', () => {
  for (const digest of ['sha256', 'sha1'] as const) {
    it(`with ${digest} convinces a server that knows the password`, async () => {
      await attempt(digest);
    });

    it(`with ${digest} fails with another password`, async () => {
      await assert.rejects(attempt(digest, {}, { ...CREDENTIALS, password: 'pen' }), {
        name: 'MongoServerError',
        code: 18,
      });
    });

    it(`with ${digest} does not believe a server that cannot know the password`, async () => {
      const signature = randomBytes(digest === 'sha256' ? 32 : 20);
      await assert.rejects(attempt(digest, { signature }), /invalid signature/);
      await assert.rejects(attempt(digest, { signature: Buffer.alloc(0) }), /invalid signature/);
    });
  }

  it('refuses a challenge that would make the password cheap to guess', async () => {
    await assert.rejects(attempt('sha256', { iterations: 1000 }), /invalid iteration count 1000/);
  });

  it('refuses the nonce of another exchange', async () => {
    await assert.rejects(attempt('sha256', { nonce: 'another' }), /invalid nonce/);
  });

  it('takes the better mechanism that the server has, unless one is asked for', () => {
    assert.equal(mechanismFor(CREDENTIALS, ['SCRAM-SHA-1', 'SCRAM-SHA-256']), 'SCRAM-SHA-256');
    assert.equal(mechanismFor(CREDENTIALS, ['SCRAM-SHA-1']), 'SCRAM-SHA-1');
    assert.equal(mechanismFor(CREDENTIALS, undefined), 'SCRAM-SHA-256');
    const asked: Credentials = { ...CREDENTIALS, mechanism: 'SCRAM-SHA-1' };
    assert.equal(mechanismFor(asked, ['SCRAM-SHA-256']), 'SCRAM-SHA-1');
  });
});
