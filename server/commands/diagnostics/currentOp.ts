/**
 * currentOp: the running operations, filtered by the fields of the command itself; with `$all: true` also what rests: idle
 * connections and idle cursors.
 * Source: MongoDB's manual, "currentOp".
 */
import { DocumentBuilder } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { compileFilter, simpleContext } from '../../../query/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { replyDocument } from '../../command/reply.ts';
import {
  describeConnection,
  describeCursor,
  describeOperation,
} from '../../operation/describe-operation.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

/** What a currentOp asks. */
export interface CurrentOpRequest {
  readonly ownOperations: boolean;
  readonly withIdle: boolean;
  /** Fields of the command that are no options of its own: a filter on the operations. */
  readonly filter: Buffer;
}

/** Long commands are not cut: what is shown is what was sent. */
const WITHOUT_EFFECT = new Set(['$truncateOps']);

export const currentOp = defineCommand({
  name: 'currentOp',
  help: 'Lists the running operations.',
  kind: 'admin',
  access: { action: 'inprog', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  parse: parseCurrentOp,
  execute(request, op) {
    const { service } = op;
    const entries = listOperations(op, {
      ownOperations: request.ownOperations,
      idleConnections: request.withIdle,
      idleCursors: request.withIdle,
    });
    const inprog = matchingOperations(entries, request, op);
    return { inprog, isLocked: service.writeGate.isClosed };
  },
  reply: ({ inprog, isLocked }) => ({
    inprog,
    ...(isLocked
      ? {
          fsyncLock: true,
          info: 'use db.fsyncUnlock() to terminate the fsync write/snapshot lock',
        }
      : {}),
  }),
});

export function parseCurrentOp(body: CommandBody): CurrentOpRequest {
  const filter = new DocumentBuilder();
  let ownOperations = false;
  let withIdle = false;
  for (const { name, value } of body.fields()) {
    if (name === '$ownOps') ownOperations = value.isTruthy();
    else if (name === '$all') withIdle = value.isTruthy();
    else if (!WITHOUT_EFFECT.has(name)) filter.append(name, value);
  }
  return { ownOperations, withIdle, filter: filter.finish() };
}

/** Those that the request asks for. @throws CommandError BSONObjectTooLarge when they do not fit into a reply */
export function matchingOperations(
  entries: Iterable<Buffer>,
  { filter }: CurrentOpRequest,
  { service }: OperationContext,
): Buffer[] {
  const matcher = compileFilter(filter, simpleContext(service.clock, service.random));
  const matching = [...entries].filter((document) => matcher.matches(document));
  let bytes = 0;
  for (const document of matching) bytes += document.length;
  uassert(
    bytes <= MAX_REPLY_BYTES,
    'BSONObjectTooLarge',
    'currentOp has more to show than fits into a reply: ask with a filter, or use $currentOp',
  );
  return matching;
}

const MAX_REPLY_BYTES = 16 * 1024 * 1024;

export interface ListOptions {
  readonly ownOperations?: boolean;
  readonly idleConnections?: boolean;
  readonly idleCursors?: boolean;
}

/** Documents for currentOp and the stage $currentOp. */
export function* listOperations(op: OperationContext, options: ListOptions): Iterable<Buffer> {
  const { service } = op;
  const busy = new Set<number>();
  for (const operation of service.operations.all()) {
    if (operation.connectionId !== undefined) busy.add(operation.connectionId);
    if (options.ownOperations === true && operation.connectionId !== op.connectionId) continue;
    yield replyDocument(describeOperation(operation, service));
  }
  if (options.idleConnections === true) {
    for (const connection of service.connections.all()) {
      if (!busy.has(connection.id)) yield replyDocument(describeConnection(connection, service));
    }
  }
  if (options.idleCursors !== true) return;
  for (const cursor of service.cursors.all()) {
    if (cursor.pinnedBy === undefined) yield replyDocument(describeCursor(cursor, service));
  }
}
