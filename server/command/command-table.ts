/**
 * From a command's name, or alias, to its definition.
 *
 * Promises: a name stands in it once; names that MongoDB knows and FlintDB does not support yet get an answer of their own.
 */
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandSummary } from '../operation/service-context.ts';
import type { Command } from './define-command.ts';

export class CommandTable {
  private readonly byName = new Map<string, Command>();
  private readonly commands: readonly Command[];
  private readonly unsupported: ReadonlySet<string>;

  /** @param unsupported names that are known, but not built. */
  constructor(commands: readonly Command[], unsupported: readonly string[]) {
    this.commands = commands;
    this.unsupported = new Set(unsupported);
    for (const command of commands) {
      for (const name of [command.name, ...(command.aliases ?? [])]) {
        invariant(!this.byName.has(name), 'command-table: a name is defined twice');
        invariant(
          !this.unsupported.has(name),
          'command-table: a supported name is listed as unsupported',
        );
        this.byName.set(name, command);
      }
    }
  }

  all(): readonly Command[] {
    return this.commands;
  }

  /** What listCommands shows. */
  summaries(): CommandSummary[] {
    return this.commands.map((command) => ({
      name: command.name,
      aliases: command.aliases ?? [],
      help: command.help,
      kind: command.kind,
      adminOnly: command.adminOnly === true,
      apiVersions: command.apiVersions ?? [],
      beforeAuth: command.beforeAuth === true,
      testOnly: command.testOnly === true,
    }));
  }

  unsupportedNames(): ReadonlySet<string> {
    return this.unsupported;
  }

  /** @throws CommandError CommandNotFound */
  find(name: string): Command {
    const command = this.byName.get(name);
    if (command !== undefined) return command;
    throw new CommandError(
      'CommandNotFound',
      this.unsupported.has(name)
        ? `no such command: '${name}' (FlintDB knows this command of MongoDB, but does not support it yet)`
        : `no such command: '${name}'`,
    );
  }

  /** undefined for a name that is not defined. */
  tryFind(name: string): Command | undefined {
    return this.byName.get(name);
  }
}
