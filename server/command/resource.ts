/**
 * What a command works on, before it has been parsed: for access control and for fail points.
 */
import type { CommandBody } from './command-body.ts';
import type { Command } from './define-command.ts';

/** The collection that the first field names, as "database.collection", or the database. */
export function resourceOf(command: Command, body: CommandBody): string {
  const named = command.access.on === 'collection' && body.target.typeName === 'string';
  return named ? `${body.database}.${body.target.asString()}` : body.database;
}
