/**
 * What an error says about trying again, and about the server that it came from.
 * Source: driver specifications "Retryable Reads", "Retryable Writes" and "Server Discovery And Monitoring".
 */
import { MongoError, MongoErrorLabel } from '../errors/mongo-error.ts';
import { MongoNetworkError } from '../errors/network-errors.ts';

const NOT_PRIMARY: ReadonlySet<number> = new Set([10_107, 13_435, 10_058]);
/** The server is shutting down, or changing its role. */
const RECOVERING: ReadonlySet<number> = new Set([11_600, 11_602, 13_436, 189, 91]);
/** HostUnreachable, HostNotFound, NetworkTimeout, ReadConcernMajorityNotAvailableYet, ExceededTimeLimit, SocketException. */
const TEMPORARY: ReadonlySet<number> = new Set([6, 7, 89, 134, 262, 9001]);

export function isNetworkError(error: unknown): error is MongoNetworkError {
  return error instanceof MongoNetworkError;
}

/** The code of an error, or of its write concern error. */
function codesOf(error: MongoError): number[] {
  const nested: unknown = Reflect.get(error, 'writeConcernError');
  const code: unknown =
    typeof nested === 'object' && nested !== null ? Reflect.get(nested, 'code') : undefined;
  return [error.code, code].filter((each) => typeof each === 'number');
}

/** The server is not what it was when it was chosen. */
export function isStateChange(error: unknown): error is MongoError {
  if (!(error instanceof MongoError) || isNetworkError(error)) return false;
  return codesOf(error).some((code) => NOT_PRIMARY.has(code) || RECOVERING.has(code));
}

export function isRetryableRead(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  if (isNetworkError(error)) return true;
  return codesOf(error).some(
    (code) => NOT_PRIMARY.has(code) || RECOVERING.has(code) || TEMPORARY.has(code),
  );
}

/** Servers label such errors; those of the network get their label here. */
export function isRetryableWrite(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  return (
    error.hasErrorLabel(MongoErrorLabel.RetryableWriteError) ||
    error.hasErrorLabel(MongoErrorLabel.PoolRequestedRetry)
  );
}

/** The server refused work because it has too much, and says that it may be asked again. */
export function isOverload(error: unknown): boolean {
  return (
    error instanceof MongoError &&
    error.hasErrorLabel(MongoErrorLabel.SystemOverloadedError) &&
    error.hasErrorLabel(MongoErrorLabel.RetryableError)
  );
}
