/**
 * A role of a server in a cluster, handed down by the program: its commands, and its work in the background.
 *
 * The server does not know roles by name. A role's commands join the table; what it starts runs from just before the server listens
 * until its operations have ended.
 */
import type { Command } from './command/define-command.ts';
import type { OperationContext } from './operation/operation-context.ts';
import type { ServiceContext } from './operation/service-context.ts';

/** What a role is given of the server. */
export interface RoleHost {
  readonly service: ServiceContext;
  /** Runs work that no client asked for as an operation of its own: shutdown and killOp end it. */
  background<Result>(
    name: string,
    work: (op: OperationContext) => Promise<Result>,
  ): Promise<Result>;
}

export interface RunningRole {
  /** Waits until nothing of the role runs any more; its operations have been interrupted. */
  stop(): Promise<void>;
}

export interface Role {
  readonly commands: readonly Command[];
  start(host: RoleHost): Promise<RunningRole>;
}
