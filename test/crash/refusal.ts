/**
 * The difference between a server that died and one that said no.
 */
import { MongoServerError } from 'mongodb';

/** Whether the server answered with an error. A bulk write wraps a lost connection in an error without a code. */
export function isRefusal(error: unknown): boolean {
  return error instanceof MongoServerError && typeof error.code === 'number';
}
