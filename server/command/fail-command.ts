/**
 * The fail point failCommand, with which drivers test how they meet errors.
 *
 * Owns: reading its data and giving it its effect, before a command runs (error, closed connection, delay) and after it
 * (writeConcernError, labels). A server without fail points pays one look at an empty Map per command.
 * Source: MongoDB's wiki page "The failCommand fail point".
 */
import { deserialize } from 'bson';
import { CommandError } from '../../common/errors.ts';
import { getPath, parsePath } from '../../bson/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import type { CommandBody } from './command-body.ts';
import type { Command } from './define-command.ts';
import type { ReplyFields } from './reply.ts';
import { resourceOf } from './resource.ts';

export const FAIL_COMMAND = 'failCommand';

/** The data of failCommand, as configureFailPoint has read and checked it. */
export interface FailCommandData {
  readonly kind: typeof FAIL_COMMAND;
  readonly commands: ReadonlySet<string>;
  readonly failAllCommands: boolean;
  readonly closeConnection: boolean;
  readonly errorCode: number | undefined;
  readonly errorLabels: readonly string[] | undefined;
  readonly errorMessage: string | undefined;
  /** Milliseconds, 0 and more; undefined: it does not block. */
  readonly blockTimeMs: number | undefined;
  readonly appName: string | undefined;
  readonly namespace: string | undefined;
  /** Raw BSON, as it will stand in the reply. */
  readonly writeConcernError: Buffer | undefined;
  /** Raw BSON: further fields of the error reply. */
  readonly errorExtraInfo: Buffer | undefined;
}

/** A command about to run. */
interface CommandCall {
  readonly command: Command;
  readonly body: CommandBody;
  readonly op: OperationContext;
}

export class FailCommand {
  private readonly service: ServiceContext;
  private readonly pending = new WeakMap<OperationContext, FailCommandData>();

  constructor(service: ServiceContext) {
    this.service = service;
  }

  /** Before a command runs: throws the configured error, or asks for the connection's end, or delays. */
  before(call: CommandCall): Promise<'run' | 'close'> | undefined {
    const { failPoints } = this.service;
    if (failPoints.isEmpty) return undefined;
    const fired = failPoints.fire(FAIL_COMMAND, (data) => applies(data, call));
    if (fired === undefined || !isFailCommandData(fired.data)) return undefined;
    return this.take(fired.data, call.op);
  }

  /** After a command ran: fields that the fail point adds to the reply. */
  after(op: OperationContext): ReplyFields | undefined {
    if (this.service.failPoints.isEmpty) return undefined;
    const data = this.pending.get(op);
    if (data?.writeConcernError === undefined) return undefined;
    return {
      writeConcernError: data.writeConcernError,
      ...(data.errorLabels === undefined ? {} : { errorLabels: data.errorLabels }),
    };
  }

  private async take(data: FailCommandData, op: OperationContext): Promise<'run' | 'close'> {
    if (data.blockTimeMs !== undefined) await op.sleep(data.blockTimeMs);
    if (data.closeConnection) return 'close';
    if (data.errorCode !== undefined) {
      throw new CommandError(
        data.errorCode,
        data.errorMessage ?? "Failing command via 'failCommand' failpoint",
        { labels: data.errorLabels ?? [], fields: extraFields(data.errorExtraInfo) },
      );
    }
    if (data.writeConcernError !== undefined) this.pending.set(op, data);
    return 'run';
  }
}

function extraFields(document: Buffer | undefined): Record<string, unknown> {
  if (document === undefined) return {};
  // int64 stays one: a topologyVersion's counter is compared by its type, too.
  return deserialize(document, { promoteLongs: false });
}

/** Data is checked when the fail point is set; another fail point of this name cannot exist. */
function isFailCommandData(data: unknown): data is FailCommandData {
  return typeof data === 'object' && data !== null && 'kind' in data && data.kind === FAIL_COMMAND;
}

function applies(data: unknown, { command, body, op }: CommandCall): boolean {
  if (!isFailCommandData(data) || !hasEffect(data, command)) return false;
  if (data.appName !== undefined && data.appName !== appNameOf(op)) return false;
  if (data.namespace !== undefined && data.namespace !== resourceOf(command, body)) return false;
  if (data.failAllCommands) return command.name !== 'configureFailPoint';
  const named =
    data.commands.has(command.name) ||
    command.aliases?.some((alias) => data.commands.has(alias)) === true;
  return named && command.name !== 'configureFailPoint';
}

/** A fail point that would do nothing to a command does not use up one of its times. */
function hasEffect(data: FailCommandData, command: Command): boolean {
  const { closeConnection, blockTimeMs, errorCode, writeConcernError } = data;
  if (closeConnection || blockTimeMs !== undefined || errorCode !== undefined) return true;
  const waits = command.kind === 'write' || command.takesWriteConcern === true;
  return writeConcernError !== undefined && waits;
}

const APP_NAME = parsePath('client.application.name');

/** Also that of a handshake which is only being answered: drivers fail exactly that. */
function appNameOf(op: OperationContext): string | undefined {
  if (op.appName !== undefined) return op.appName;
  const name = getPath(op.commandBody, APP_NAME);
  return name?.typeName === 'string' ? name.asString() : undefined;
}
