import assert from 'node:assert/strict';
import { InvariantError, invariant, onInvariantFailure, uassert } from '../../common/assert.ts';
import { codeNameOf, CommandError, CorruptionError, ERROR_CODES } from '../../common/errors.ts';

describe('the error table', () => {
  it('gives no number to two names', () => {
    const codes = Object.values(ERROR_CODES);
    assert.equal(new Set(codes).size, codes.length);
  });

  it('names a code that has no name by its number', () => {
    assert.equal(codeNameOf(11000), 'DuplicateKey');
    assert.equal(codeNameOf(40324), 'Location40324');
  });
});

describe('errors', () => {
  it('carry code, name, labels and further fields of a command error', () => {
    const error = new CommandError('WriteConflict', 'busy', {
      labels: ['TransientTransactionError'],
      fields: { keyValue: { a: 1 } },
    });
    assert.equal(error.code, 112);
    assert.equal(error.codeName, 'WriteConflict');
    assert.deepEqual(error.labels, ['TransientTransactionError']);
    assert.deepEqual(error.fields, { keyValue: { a: 1 } });
  });

  it('name the part and the kind of a corruption', () => {
    const error = new CorruptionError('lostWrite', 'page 17', 'holds generation 3, expected 4');
    assert.equal(error.message, 'page 17: holds generation 3, expected 4 (lostWrite)');
  });
});

describe('assertions', () => {
  it('turn what the client did wrong into a command error', () => {
    uassert(true, 'BadValue', 'never seen');
    assert.throws(() => uassert(false, 'BadValue', 'limit is negative'), {
      name: 'CommandError',
      code: 2,
      message: 'limit is negative',
    });
  });

  it('report a broken invariant before anybody can catch it', () => {
    const reported: InvariantError[] = [];
    onInvariantFailure((error) => reported.push(error));
    try {
      assert.throws(() => invariant(false, 'extent: first is negative'), InvariantError);
    } finally {
      onInvariantFailure(() => {});
    }
    assert.deepEqual(
      reported.map((error) => error.message),
      ['Invariant failed: extent: first is negative'],
    );
  });
});
