/**
 * expectError: whether an operation failed in the way that the case says.
 */
import {
  MongoBulkWriteError,
  MongoClientBulkWriteError,
  MongoError,
  MongoOperationTimeoutError,
  MongoServerError,
  type Document,
} from 'mongodb';
import { ExpectationError, type ExpectedError } from './format.ts';
import { assertMatches, type MatchContext } from './match.ts';
import { plainResult } from './plain-result.ts';

/** @throws ExpectationError that says in what the error differs. */
export function assertError(error: unknown, expected: ExpectedError, context: MatchContext): void {
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new ExpectationError(`the error ${what}: ${describe(error)}`);
  };
  const { isClientError, isTimeoutError, errorContains, errorCode, errorCodeName } = expected;
  if (isClientError !== undefined) {
    check(!(error instanceof MongoServerError) === isClientError, 'is the wrong side’s');
  }
  if (isTimeoutError !== undefined) {
    const isTimeout = error instanceof MongoOperationTimeoutError;
    check(isTimeout === isTimeoutError, isTimeoutError ? 'is no timeout' : 'is a timeout');
  }
  if (errorContains !== undefined) {
    const text = messageOf(error).toLowerCase();
    check(text.includes(errorContains.toLowerCase()), `does not say '${errorContains}'`);
  }
  if (errorCode !== undefined) {
    check(fieldOf(error, 'code') === errorCode, `has not the code ${errorCode}`);
  }
  if (errorCodeName !== undefined) {
    check(fieldOf(error, 'codeName') === errorCodeName, `is not named ${errorCodeName}`);
  }
  for (const label of expected.errorLabelsContain ?? []) {
    check(hasLabel(error, label), `lacks the label ${label}`);
  }
  for (const label of expected.errorLabelsOmit ?? []) {
    check(!hasLabel(error, label), `has the label ${label}`);
  }
  assertDetails(error, expected, context);
}

function assertDetails(error: unknown, expected: ExpectedError, context: MatchContext): void {
  const { errorResponse, expectResult, writeErrors, writeConcernErrors } = expected;
  if (errorResponse !== undefined) {
    const response = fieldOf(error, 'errorResponse') ?? error;
    assertMatches(errorResponse, response, context, 'the error’s response');
  }
  if (expectResult !== undefined) {
    assertMatches(expectResult, partialResultOf(error), context, 'the error’s result');
  }
  if (writeErrors !== undefined) {
    assertMatches(writeErrors, writeErrorsOf(error), context, 'the write errors');
  }
  if (writeConcernErrors !== undefined) {
    const found = fieldOf(error, 'writeConcernErrors');
    assertMatches(writeConcernErrors, found, context, 'the write concern errors');
  }
}

function partialResultOf(error: unknown): unknown {
  if (error instanceof MongoBulkWriteError) return plainResult(error.result);
  if (error instanceof MongoClientBulkWriteError) return plainResult(error.partialResult);
  return undefined;
}

/** By the index of the statement. */
function writeErrorsOf(error: unknown): Document {
  if (error instanceof MongoClientBulkWriteError) return Object.fromEntries(error.writeErrors);
  if (!(error instanceof MongoBulkWriteError)) return {};
  return Object.fromEntries([error.writeErrors].flat().map((each) => [each.index, each]));
}

function hasLabel(error: unknown, label: string): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function fieldOf(error: unknown, name: string): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  return Object.getOwnPropertyDescriptor(error, name)?.value ?? Reflect.get(error, name);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.name} ${String(fieldOf(error, 'code') ?? '')}: ${error.message}`;
}
