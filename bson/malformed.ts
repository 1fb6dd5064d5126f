/**
 * The errors for bytes that are not BSON, or nested deeper than anything that was validated.
 */
import { CommandError } from '../common/errors.ts';

/** @returns InvalidBSON (22); `message` says what is wrong, in words of the format. */
export function malformed(message: string): CommandError {
  return new CommandError('InvalidBSON', message);
}

/** More levels than validateDocument lets through: functions that recurse stop here instead of exhausting the stack. */
const MAX_RECURSION = 1000;

/** @throws CommandError Overflow (15) when `depth` levels are too many. */
export function checkDepth(depth: number): void {
  if (depth > MAX_RECURSION) throw tooDeep();
}

export function tooDeep(): CommandError {
  return new CommandError('Overflow', 'BSONObj exceeds maximum nested object depth');
}
