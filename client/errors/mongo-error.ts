/**
 * The root of all errors of the SDK, and those that a server's reply becomes.
 *
 * Names, properties and messages are those of the official driver, so that code which tells errors apart goes on working;
 * FlintError and its like are the same classes under our name.
 */
import type { Document } from 'bson';

/** Labels by which errors are told apart. Source: driver specifications. */
export const MongoErrorLabel = {
  RetryableWriteError: 'RetryableWriteError',
  TransientTransactionError: 'TransientTransactionError',
  UnknownTransactionCommitResult: 'UnknownTransactionCommitResult',
  ResumableChangeStreamError: 'ResumableChangeStreamError',
  HandshakeError: 'HandshakeError',
  ResetPool: 'ResetPool',
  PoolRequestedRetry: 'PoolRequestedRetry',
  InterruptInUseConnections: 'InterruptInUseConnections',
  NoWritesPerformed: 'NoWritesPerformed',
  RetryableError: 'RetryableError',
  SystemOverloadedError: 'SystemOverloadedError',
} as const;
export type MongoErrorLabel = (typeof MongoErrorLabel)[keyof typeof MongoErrorLabel];

export class MongoError extends Error {
  /** The server's code, or the system's (ECONNREFUSED). */
  declare code?: number | string;
  private readonly labels = new Set<string>();

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // A detail of the class, not of the error: whoever prints the error need not see it.
    Object.defineProperty(this, 'labels', { enumerable: false });
  }

  override get name(): string {
    return 'MongoError';
  }

  /** The server's name for the message, kept from old drivers. */
  get errmsg(): string {
    return this.message;
  }

  get errorLabels(): string[] {
    return [...this.labels];
  }

  hasErrorLabel(label: string): boolean {
    return this.labels.has(label);
  }

  addErrorLabel(label: string): void {
    this.labels.add(label);
  }
}

/** The server refused or failed a command: its reply says `ok: 0`. */
export class MongoServerError extends MongoError {
  declare codeName?: string;
  declare writeConcernError?: Document;
  declare errInfo?: Document;
  declare ok?: number;
  /** The reply as it came. */
  errorResponse: Document;
  [key: string]: unknown;

  constructor(reply: Document) {
    super(String(reply['message'] ?? reply['errmsg'] ?? reply['$err'] ?? 'n/a'));
    const labels: unknown = reply['errorLabels'];
    if (Array.isArray(labels)) for (const label of labels) this.addErrorLabel(String(label));
    this.errorResponse = reply;
    for (const [name, value] of Object.entries(reply)) {
      if (!RESERVED.has(name)) this[name] = value;
    }
  }

  override get name(): string {
    return 'MongoServerError';
  }
}

const RESERVED = new Set(['errorLabels', 'errmsg', 'message', 'errorResponse', 'stack', 'name']);

/** The write was done, but not acknowledged as its write concern asks. */
export class MongoWriteConcernError extends MongoServerError {
  /** The whole reply of the write. */
  result: Document;

  constructor(result: Document) {
    super({ ...result, ...result['writeConcernError'] });
    this.errInfo = result['writeConcernError']?.['errInfo'];
    this.result = result;
  }

  override get name(): string {
    return 'MongoWriteConcernError';
  }
}

/** A system's error that is none of the database, such as one of the operating system. */
export class MongoSystemError extends MongoError {
  readonly reason: unknown;

  constructor(message: string, reason: unknown) {
    super(message, { cause: errorOf(reason) });
    this.reason = reason;
    const code = errorCodeOf(reason);
    if (code !== undefined) this.code = code;
  }

  override get name(): string {
    return 'MongoSystemError';
  }
}

/** No server was found that may serve the operation in time. */
export class MongoServerSelectionError extends MongoSystemError {
  override get name(): string {
    return 'MongoServerSelectionError';
  }
}

function errorOf(reason: unknown): unknown {
  if (reason instanceof Error) return reason;
  const nested: unknown =
    typeof reason === 'object' && reason !== null ? Reflect.get(reason, 'error') : undefined;
  return nested instanceof Error ? nested : undefined;
}

/** The code of an error of the operating system, or of the error that caused it. */
export function errorCodeOf(error: unknown): string | number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string' || typeof code === 'number') return code;
  return errorCodeOf(Reflect.get(error, 'cause') ?? Reflect.get(error, 'error'));
}
