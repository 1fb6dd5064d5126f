/**
 * Errors that the SDK itself raises: wrong use, wrong state, wrong options.
 */
import { MongoError } from './mongo-error.ts';

/** Any error that comes from the SDK, not from a server or the network. */
export class MongoDriverError extends MongoError {
  override get name(): string {
    return 'MongoDriverError';
  }
}

/** The SDK was used in a way that it does not allow. */
export class MongoAPIError extends MongoDriverError {
  override get name(): string {
    return 'MongoAPIError';
  }
}

/** Something unexpected happened while the SDK ran. */
export class MongoRuntimeError extends MongoDriverError {
  override get name(): string {
    return 'MongoRuntimeError';
  }
}

/** An argument has the wrong type or value. */
export class MongoInvalidArgumentError extends MongoAPIError {
  override get name(): string {
    return 'MongoInvalidArgumentError';
  }
}

/** An authentication mechanism lacks what it needs. */
export class MongoMissingCredentialsError extends MongoAPIError {
  override get name(): string {
    return 'MongoMissingCredentialsError';
  }
}

/** A library that an option needs is not there. */
export class MongoMissingDependencyError extends MongoAPIError {
  override get name(): string {
    return 'MongoMissingDependencyError';
  }
}

/** The server is too old, or lacks what the operation needs. */
export class MongoCompatibilityError extends MongoAPIError {
  override get name(): string {
    return 'MongoCompatibilityError';
  }
}

/** The client has not been connected, or was closed. */
export class MongoNotConnectedError extends MongoAPIError {
  override get name(): string {
    return 'MongoNotConnectedError';
  }
}

/** The client was closed. */
export class MongoTopologyClosedError extends MongoAPIError {
  override get name(): string {
    return 'MongoTopologyClosedError';
  }
}

/** The server was closed before the operation ran. */
export class MongoServerClosedError extends MongoAPIError {
  override get name(): string {
    return 'MongoServerClosedError';
  }
}

/** The client was closed while the operation ran. */
export class MongoClientClosedError extends MongoAPIError {
  constructor(message = 'Operation interrupted because client was closed') {
    super(message);
  }

  override get name(): string {
    return 'MongoClientClosedError';
  }
}

/** The cursor has been opened: its options cannot change any more. */
export class MongoCursorInUseError extends MongoAPIError {
  override get name(): string {
    return 'MongoCursorInUseError';
  }
}

/** The cursor has nothing more, or is closed. */
export class MongoCursorExhaustedError extends MongoAPIError {
  override get name(): string {
    return 'MongoCursorExhaustedError';
  }
}

/** The operation does not go with a tailable cursor. */
export class MongoTailableCursorError extends MongoAPIError {
  override get name(): string {
    return 'MongoTailableCursorError';
  }
}

/** The session has ended. */
export class MongoExpiredSessionError extends MongoAPIError {
  override get name(): string {
    return 'MongoExpiredSessionError';
  }
}

/** The operation does not fit the state of the transaction. */
export class MongoTransactionError extends MongoAPIError {
  override get name(): string {
    return 'MongoTransactionError';
  }
}

/** The bulk has been executed before. */
export class MongoBatchReExecutionError extends MongoAPIError {
  override get name(): string {
    return 'MongoBatchReExecutionError';
  }
}

/** The results of a bulk write of the client could not be read. */
export class MongoClientBulkWriteCursorError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoClientBulkWriteCursorError';
  }
}

/** A bulk write of the client could not be executed. */
export class MongoClientBulkWriteExecutionError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoClientBulkWriteExecutionError';
  }
}

/** A connection string or an option could not be understood. */
export class MongoParseError extends MongoDriverError {
  override get name(): string {
    return 'MongoParseError';
  }
}

/** A compressed message could not be read. */
export class MongoDecompressionError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoDecompressionError';
  }
}

/** The server answered what the protocol does not allow. */
export class MongoUnexpectedServerResponseError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoUnexpectedServerResponseError';
  }
}

/** A change stream could not go on. */
export class MongoChangeStreamError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoChangeStreamError';
  }
}

/** A stream of GridFS was used wrongly. */
export class MongoGridFSStreamError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoGridFSStreamError';
  }
}

/** A chunk of a GridFS file is missing, or not what it should be. */
export class MongoGridFSChunkError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoGridFSChunkError';
  }
}

/** The operation took longer than timeoutMS. */
export class MongoOperationTimeoutError extends MongoDriverError {
  override get name(): string {
    return 'MongoOperationTimeoutError';
  }
}

/** A server says that it is primary, but another one was elected after it. */
export class MongoStalePrimaryError extends MongoRuntimeError {
  override get name(): string {
    return 'MongoStalePrimaryError';
  }
}
