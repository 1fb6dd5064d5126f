import assert from 'node:assert/strict';
import { CommandError } from '../../common/errors.ts';
import {
  commandOfOpQuery,
  encodeOpQuery,
  encodeOpReply,
  OP_QUERY_REMOVED,
  parseMessage,
  parseOpQuery,
  parseOpReply,
} from '../../wire/index.ts';
import { raw, withHeader } from './documents.ts';

function commandIn(query: Record<string, unknown>, fullCollectionName = 'admin.$cmd') {
  const message = encodeOpQuery({ requestId: 5, fullCollectionName, query: raw(query) });
  return commandOfOpQuery(parseOpQuery(message));
}

function assertCode(run: () => unknown, code: number, text: RegExp): void {
  assert.throws(
    run,
    (error) => error instanceof CommandError && error.code === code && text.test(error.message),
  );
}

describe('OP_QUERY', () => {
  it('brings the handshake of old and new drivers', () => {
    for (const name of ['isMaster', 'ismaster', 'hello']) {
      const command = commandIn({ [name]: 1, helloOk: true });
      assert.equal(command.name, name);
      assert.equal(command.database, 'admin');
      assert.deepEqual(command.body, raw({ [name]: 1, helloOk: true }));
    }
  });

  it('unwraps a command with a read preference', () => {
    const command = commandIn({ $query: { isMaster: 1 }, $readPreference: { mode: 'nearest' } });
    assert.equal(command.name, 'isMaster');
    assert.deepEqual(command.body, raw({ isMaster: 1 }));
  });

  it('refuses any other command as MongoDB does', () => {
    assertCode(
      () => commandIn({ find: 'c' }, 'test.$cmd'),
      352,
      /^Unsupported OP_QUERY command: find\. The client driver may require an upgrade\./,
    );
    assertCode(() => commandIn({}), 352, /^Unsupported OP_QUERY command: \./);
    assertCode(() => commandIn({ $query: 3 }), 352, /command: \./);
  });

  it('refuses queries on collections', () => {
    assertCode(() => commandIn({}, 'test.c'), OP_QUERY_REMOVED, /OP_QUERY is no longer supported/);
  });

  it('keeps flags and numbers', () => {
    const parsed = parseOpQuery(
      encodeOpQuery({
        requestId: 9,
        fullCollectionName: 'a.$cmd',
        query: raw({}),
        secondaryOk: true,
      }),
    );
    assert.equal(parsed.requestId, 9);
    assert.equal(parsed.secondaryOk, true);
    assert.equal(parsed.numberToSkip, 0);
    assert.equal(parsed.numberToReturn, -1);
  });

  it('is refused when cut off anywhere', () => {
    const whole = encodeOpQuery({
      requestId: 9,
      fullCollectionName: 'admin.$cmd',
      query: raw({ hello: 1 }),
    });
    for (let length = 16; length < whole.length; length += 1) {
      assert.throws(() => parseOpQuery(whole.subarray(0, length)), CommandError);
    }
  });
});

describe('OP_REPLY', () => {
  it('comes back as it was encoded', () => {
    const document = raw({ ok: 1 });
    const message = encodeOpReply({ requestId: 3, responseTo: 9, document, queryFailure: true });
    const parsed = parseOpReply(message);
    assert.deepEqual(parsed.documents, [document]);
    assert.equal(parsed.requestId, 3);
    assert.equal(parsed.responseTo, 9);
    assert.equal(parsed.queryFailure, true);
    assert.equal(parsed.cursorId, 0n);
  });

  it('is refused when cut off anywhere', () => {
    const whole = encodeOpReply({ requestId: 3, responseTo: 9, document: raw({ ok: 1 }) });
    for (let length = 16; length < whole.length; length += 1) {
      assert.throws(() => parseOpReply(whole.subarray(0, length)), CommandError);
    }
  });
});

describe('opcodes that nobody speaks any more', () => {
  for (const [opCode, name] of [
    [2001, 'OP_UPDATE'],
    [2002, 'OP_INSERT'],
    [2005, 'OP_GET_MORE'],
    [2006, 'OP_DELETE'],
    [2007, 'OP_KILL_CURSORS'],
  ] as const) {
    it(`are refused by name: ${name}`, () => {
      const message = withHeader(Buffer.alloc(20), { opCode });
      assert.throws(() => parseMessage(message), new RegExp(`${name} is no longer supported`));
    });
  }

  it('are refused by number when they never were', () => {
    const message = withHeader(Buffer.alloc(20), { opCode: 4711 });
    assertCode(() => parseMessage(message), 17, /unknown opcode 4711/);
  });
});
