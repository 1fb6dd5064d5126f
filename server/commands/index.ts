/**
 * All commands of the server, alphabetically, and the names that MongoDB knows and FlintDB does not support yet.
 */
import { CommandTable } from '../command/command-table.ts';
import { ping } from './diagnostics/ping.ts';

const COMMANDS = [ping];

/** A missing feature and a typo get different answers. A command that is built moves from here to the list above. */
const UNSUPPORTED = ['abortTransaction'];

export function createCommandTable(): CommandTable {
  return new CommandTable(COMMANDS, UNSUPPORTED);
}
