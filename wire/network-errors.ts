/**
 * The NetworkErrors that callers tell apart.
 */
import { NetworkError } from '../common/errors.ts';

/** No answer, connection or free place in the pool within the time given. */
export class NetworkTimeoutError extends NetworkError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'NetworkTimeoutError';
  }
}

/** Any error as a NetworkError that names what was being done; one that is already stays itself. */
export function asNetworkError(error: unknown, doing: string): NetworkError {
  if (error instanceof NetworkError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new NetworkError(`${doing}: ${reason}`, { cause: error });
}
