/**
 * How a command may fail while servers are killed: nobody knows then whether it was done. Everything else is a defect.
 */
import { MongoServerError } from 'mongodb';

const EXPECTED: ReadonlySet<string> = new Set([
  'HostUnreachable',
  'HostNotFound',
  'NetworkTimeout',
  'NetworkInterfaceExceededTimeLimit',
  'SocketException',
  'ConnectionPoolExpired',
  'InterruptedAtShutdown',
  'ShutdownInProgress',
  'CursorNotFound',
  'QueryPlanKilled',
  // After many attempts: placement has changed again and again.
  'StaleConfig',
  'NoProgressMade',
  'NotYetInitialized',
]);

/** Of splits, merges and moves, which meet each other. */
const EXPECTED_OF_MOVES: ReadonlySet<string> = new Set([
  ...EXPECTED,
  'ConflictingOperationInProgress',
  'CannotSplit',
  'BadValue',
  'InvalidOptions',
  'IllegalOperation',
  'IncompatibleShardingMetadata',
  'LockTimeout',
  'NoSuchKey',
  'OperationFailed',
  'Interrupted',
  'ClientDisconnect',
]);

/** @returns its code name, or what kind of error it is without one */
export function nameOf(error: unknown): string {
  if (!(error instanceof MongoServerError)) return isLost(error) ? 'lost' : String(error);
  const { codeName } = error.errorResponse;
  if (typeof codeName === 'string') return codeName;
  return typeof error.code === 'number' ? (CODE_NAMES[error.code] ?? String(error.code)) : 'lost';
}

/** Whether a read or write may end like this. */
export function isExpected(error: unknown): boolean {
  const name = nameOf(error);
  return name === 'lost' || EXPECTED.has(name);
}

export function isExpectedOfMoves(error: unknown): boolean {
  const name = nameOf(error);
  return name === 'lost' || EXPECTED_OF_MOVES.has(name);
}

/** Entries of writeErrors have a code alone. */
const CODE_NAMES: Readonly<Record<number, string>> = {
  6: 'HostUnreachable',
  7: 'HostNotFound',
  43: 'CursorNotFound',
  82: 'NoProgressMade',
  89: 'NetworkTimeout',
  91: 'ShutdownInProgress',
  175: 'QueryPlanKilled',
  11_600: 'InterruptedAtShutdown',
  13_388: 'StaleConfig',
};

/** The driver passes some of Node's errors on as they are. */
const LOST_CODES: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET', 'ECONNREFUSED']);

function isLost(error: unknown): boolean {
  if (error instanceof Error && 'code' in error && LOST_CODES.has(error.code)) return true;
  return (
    error instanceof Error && /^Mongo(Network|ServerSelection|PoolCleared|Pool)/.test(error.name)
  );
}
