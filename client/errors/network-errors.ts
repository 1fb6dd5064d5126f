/**
 * Errors of the way to the server: sockets, handshakes, deadlines.
 */
import { errorCodeOf, MongoError, MongoErrorLabel } from './mongo-error.ts';

export interface MongoNetworkErrorOptions {
  cause?: unknown;
  /** The connection failed before its handshake was through. */
  beforeHandshake?: boolean;
}

/** The connection could not be made, or was lost. */
export class MongoNetworkError extends MongoError {
  readonly beforeHandshake: boolean;

  constructor(message: string, options: MongoNetworkErrorOptions = {}) {
    super(message, options);
    this.beforeHandshake = options.beforeHandshake ?? false;
    const code = errorCodeOf(options.cause);
    if (code !== undefined) this.code = code;
  }

  override get name(): string {
    return 'MongoNetworkError';
  }
}

/** No answer within socketTimeoutMS or connectTimeoutMS. */
export class MongoNetworkTimeoutError extends MongoNetworkError {
  override get name(): string {
    return 'MongoNetworkTimeoutError';
  }
}

/** The pool was emptied because its server failed, while this operation waited for a connection. */
export class PoolClearedError extends MongoNetworkError {
  readonly address: string;

  constructor(address: string, options: { cause?: unknown } = {}) {
    super(`Connection pool for ${address} was cleared because another operation failed`, options);
    this.address = address;
    this.addErrorLabel(MongoErrorLabel.PoolRequestedRetry);
  }

  override get name(): string {
    return 'MongoPoolClearedError';
  }
}
