/**
 * The id of an open backup, as a command names it.
 */
import { BsonType } from '../../../bson/index.ts';
import type { CommandBody } from '../../command/command-body.ts';

/** @throws CommandError TypeMismatch */
export function backupIdOf(body: CommandBody): string {
  const { target, command } = body;
  if (target.type === BsonType.string) return target.asString();
  throw body.wrongType(command, target, "expected type 'string'");
}
