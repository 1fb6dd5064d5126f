/**
 * The option `expireAfterSeconds` of create: after how long documents of a clustered collection or of a time series may go.
 * Source: MongoDB's manual, "create" and "TTL Indexes".
 */
import { integerValue, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody } from '../command/command-body.ts';

/** Largest number of seconds: the largest int32. */
export const MAX_EXPIRE_AFTER_SECONDS = 2 ** 31 - 1;

/** @returns the seconds as they are stored; undefined when absent. @throws CommandError InvalidOptions, TypeMismatch */
export function readExpireAfterSeconds(body: CommandBody, name: string): RawValue | undefined {
  const seconds = body.integer(name, undefined);
  if (seconds === undefined) return undefined;
  checkExpireAfterSeconds(seconds);
  return integerValue(seconds);
}

/** @throws CommandError InvalidOptions */
export function checkExpireAfterSeconds(seconds: number): void {
  const wrong =
    seconds < 0
      ? "TTL index 'expireAfterSeconds' option cannot be less than 0"
      : seconds > MAX_EXPIRE_AFTER_SECONDS
        ? `TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower number: ${seconds}`
        : undefined;
  if (wrong !== undefined) throw new CommandError('InvalidOptions', wrong);
}
