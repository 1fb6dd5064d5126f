/**
 * Reading what write commands and find have in common: the statements of a batch, hints, and updates to compile.
 */
import { BsonType, FieldCursor, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileUpdate, type QueryContext, type Update } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';

/** An index's name or key pattern. @throws CommandError FailedToParse */
export function hintIn(body: CommandBody): string | Buffer | undefined {
  const value = body.value('hint');
  if (value === undefined || value.isNullish) return undefined;
  if (value.type === BsonType.string) return value.asString();
  if (value.type !== BsonType.object) {
    throw new CommandError('FailedToParse', 'Hint must be a string or an object');
  }
  const pattern = value.asDocument();
  // Drivers send an empty document for "no hint".
  return new FieldCursor(pattern).next() ? pattern : undefined;
}

/** Options of an update, however a command spells them. */
export interface UpdateParts {
  readonly update: RawValue;
  readonly upsert: boolean;
  readonly multi: boolean;
  readonly arrayFilters: readonly Buffer[] | undefined;
  readonly constants?: Buffer | undefined;
  /** The client's bypassEmptyTsReplacement. */
  readonly keepEmptyTimestamps?: boolean | undefined;
}

export function compileStatementUpdate(parts: UpdateParts, context: QueryContext): Update {
  const { upsert, multi, arrayFilters, constants, keepEmptyTimestamps = false } = parts;
  return compileUpdate(parts.update, {
    context,
    upsert,
    multi,
    keepEmptyTimestamps,
    ...(arrayFilters === undefined ? {} : { arrayFilters }),
    ...(constants === undefined ? {} : { constants }),
  });
}
