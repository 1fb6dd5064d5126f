/**
 * From a command's name, or alias, to its definition.
 *
 * Promises: a name stands in it once; names that MongoDB knows and FlintDB does not support yet get an answer of their own.
 */
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandSummary } from '../operation/service-context.ts';
import { type Command, defineCommand } from './define-command.ts';

export class CommandTable {
  private readonly byName = new Map<string, Command>();
  private readonly commands: readonly Command[];
  private readonly unsupported: ReadonlyMap<string, Command>;

  /** @param unsupported names that are known, but not built. */
  constructor(commands: readonly Command[], unsupported: readonly string[]) {
    this.commands = commands;
    this.unsupported = new Map(unsupported.map((name) => [name, unsupportedCommand(name)]));
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
    return new Set(this.unsupported.keys());
  }

  /** @throws CommandError CommandNotFound, also for a name that is known but not built. */
  find(name: string): Command {
    const command = this.byName.get(name);
    if (command !== undefined) return command;
    throw this.unsupported.has(name) ? notBuilt(name) : notFound(name);
  }

  /**
   * What a request runs. A command that is not built yet fails when it runs, so that fail points work for it, too.
   * @throws CommandError CommandNotFound for a name that nobody knows.
   */
  forRequest(name: string): Command {
    const command = this.byName.get(name) ?? this.unsupported.get(name);
    if (command === undefined) throw notFound(name);
    return command;
  }

  /** undefined for a name that is not defined. */
  tryFind(name: string): Command | undefined {
    return this.byName.get(name);
  }
}

/** Known, but not built: passes through dispatch like any other, and answers that it is not there. */
function unsupportedCommand(name: string): Command {
  return defineCommand({
    name,
    help: 'Is not supported yet.',
    kind: 'admin',
    access: { action: 'none', on: 'anything' },
    route: 'never',
    takesWriteConcern: true,
    takesReadConcern: true,
    parse: () => {
      throw notBuilt(name);
    },
    execute: () => undefined,
    reply: () => ({}),
  });
}

function notBuilt(name: string): CommandError {
  return new CommandError(
    'CommandNotFound',
    `no such command: '${name}' (FlintDB knows this command of MongoDB, but does not support it yet)`,
  );
}

function notFound(name: string): CommandError {
  return new CommandError('CommandNotFound', `no such command: '${name}'`);
}
