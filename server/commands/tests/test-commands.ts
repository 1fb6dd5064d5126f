/**
 * Small commands that exist with enableTestCommands only, for suites that use them.
 * Source: MongoDB's server tests.
 */
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { BsonType, hashValue, int64Value, objectIdValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';

const TRAITS = {
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  testOnly: true,
} as const;

export const sleep = defineCommand({
  ...TRAITS,
  name: 'sleep',
  help: 'Answers after a while. For tests only.',
  adminOnly: true,
  parse: (body) => {
    const lock = body.string('lock', 'none');
    uassert(
      lock === 'none',
      'NotImplemented',
      'sleep holds no lock here: writes are ordered without any',
    );
    body.ignore('lockTarget');
    const [seconds, millis] = [body.number('seconds', undefined), body.number('millis', undefined)];
    const secs = body.number('secs', undefined) ?? seconds;
    if (secs === undefined) return millis ?? DEFAULT_SLEEP_MS;
    return secs * 1000 + (millis ?? 0);
  },
  async execute(delayMs, op) {
    await op.sleep(Math.max(0, delayMs));
  },
  reply: () => ({}),
});

const DEFAULT_SLEEP_MS = 10_000;

export const echo = defineCommand({
  ...TRAITS,
  name: 'echo',
  help: 'Answers with its own request. For tests only.',
  lenient: true,
  parse: (body) => body.bytes,
  execute: (request) => request,
  reply: (request) => ({ echo: request }),
});

export const driverOIDTest = defineCommand({
  ...TRAITS,
  name: 'driverOIDTest',
  help: 'Reads an ObjectId as the server does. For tests only.',
  lenient: true,
  parse: (body) => {
    if (body.target.type === BsonType.objectId) return body.target.asObjectIdBytes();
    throw new CommandError('CommandFailed', 'not oid');
  },
  execute: (bytes) => bytes,
  reply: (bytes) => ({ oid: objectIdValue(bytes), str: bytes.toString('hex') }),
});

export const hashBSONElement = defineCommand({
  ...TRAITS,
  name: '_hashBSONElement',
  help: 'Hashes a value as hashed indexes do. For tests only.',
  parse: (body) => ({ key: body.target, seed: body.integer('seed', 0) }),
  execute: ({ key, seed }) => ({ key, seed, out: hashValue(key, seed | 0) }),
  reply: ({ key, seed, out }) => ({ key, seed, out: int64Value(out) }),
});

/** Sessions are kept in memory only, so that there is nothing to write out or to read in. */
export const refreshLogicalSessionCacheNow = defineCommand({
  ...TRAITS,
  name: 'refreshLogicalSessionCacheNow',
  help: 'Writes out which sessions are alive, where that is kept on disk. For tests only.',
  parse: () => undefined,
  execute: () => undefined,
  reply: () => ({}),
});

export const reapLogicalSessionCacheNow = defineCommand({
  ...TRAITS,
  name: 'reapLogicalSessionCacheNow',
  help: 'Ends the sessions that have timed out. For tests only.',
  parse: () => undefined,
  execute: (_request, op) => op.service.sessions.sweep(),
  reply: () => ({}),
});
