/**
 * The one error for bytes that are not BSON.
 */
import { CommandError } from '../common/errors.ts';

/** @returns InvalidBSON (22); `message` says what is wrong, in words of the format. */
export function malformed(message: string): CommandError {
  return new CommandError('InvalidBSON', message);
}
