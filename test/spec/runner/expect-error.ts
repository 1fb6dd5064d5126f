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
export function assertError(thrown: unknown, expected: ExpectedError, context: MatchContext): void {
  const error = topLevelError(thrown);
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
  assertDetails(error, thrown, expected, context);
}

/** Of a bulk write of the client that failed as a whole, the driver gives the reason as its cause. */
function topLevelError(error: unknown): unknown {
  const isWrapped = error instanceof MongoClientBulkWriteError && error.cause !== undefined;
  return isWrapped ? error.cause : error;
}

function assertDetails(
  error: unknown,
  thrown: unknown,
  expected: ExpectedError,
  context: MatchContext,
): void {
  const { errorResponse, expectResult, writeErrors, writeConcernErrors } = expected;
  if (errorResponse !== undefined) {
    const response = fieldOf(error, 'errorResponse') ?? error;
    assertMatches(errorResponse, response, context, 'the error’s response');
  }
  if (expectResult !== undefined) {
    assertMatches(expectResult, partialResultOf(thrown), context, 'the error’s result');
  }
  if (writeErrors !== undefined) {
    assertWriteErrors(writeErrors, writeErrorsOf(thrown), context);
  }
  if (writeConcernErrors !== undefined) {
    const found = fieldOf(thrown, 'writeConcernErrors');
    assertMatches(writeConcernErrors, found, context, 'the write concern errors');
  }
}

/** Those of exactly the statements expected, each a root document. */
function assertWriteErrors(expected: Document, actual: Document, context: MatchContext): void {
  const names = (errors: Document): string[] => Object.keys(errors).sort();
  assertMatches(names(expected), names(actual), context, 'the indexes of the write errors');
  for (const [index, error] of Object.entries(expected)) {
    assertMatches(error, actual[index], context, `write error ${index}`);
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
  const code = fieldOf(error, 'code');
  return `${error.name} ${typeof code === 'number' ? code : ''}: ${error.message}`;
}
