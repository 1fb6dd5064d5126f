/**
 * hello, and isMaster, its old name: what a client may expect of this server. Also the handshake of a connection.
 *
 * A server outside a replica set says nothing of a set, a time or a term. With topologyVersion and maxAwaitTimeMS the
 * answer waits for a change (here there is none) or the time; with exhaustAllowed the answers then follow by themselves.
 * Source: driver specifications "MongoDB Handshake" and "Server Monitoring"; MongoDB 8.0's order of fields.
 */
import { CommandError } from '../../../common/errors.ts';
import { uassert } from '../../../common/assert.ts';
import {
  MAX_BSON_OBJECT_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_WRITE_BATCH_COUNT,
} from '../../../common/limits.ts';
import { getField, int64Value, objectIdValue } from '../../../bson/index.ts';
import { isCompressorName, negotiateCompressors, prepareCompressors } from '../../../wire/index.ts';
import type { MaybePromise } from '../../../storage/index.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { MAX_WIRE_VERSION, MIN_WIRE_VERSION } from '../../version.ts';
import { acceptClientMetadata } from './client-metadata.ts';

interface HelloRequest {
  readonly metadata: Buffer | undefined;
  readonly compression: readonly string[] | undefined;
  readonly helloOk: boolean;
  /** Milliseconds to wait for a change; undefined: answer at once. */
  readonly awaitMs: number | undefined;
}

const TRAITS = {
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  beforeAuth: true,
  passesBarrier: true,
  lenient: true,
} as const;

export const hello = defineCommand({
  ...TRAITS,
  name: 'hello',
  help: 'Says what this server is and can do.',
  apiVersions: ['1'],
  parse: parseHello,
  execute: greet,
  reply: (request, op) => describe(request, op, { isWritablePrimary: true }),
});

export const isMaster = defineCommand({
  ...TRAITS,
  name: 'isMaster',
  aliases: ['ismaster'],
  help: 'Says what this server is and can do, in the words of old drivers.',
  parse: parseHello,
  execute: greet,
  reply: (request, op) => describe(request, op, { ismaster: true }),
});

function parseHello(body: CommandBody, op: OperationContext): HelloRequest {
  return {
    metadata: body.document('client', undefined),
    compression: body
      .array('compression', undefined)
      ?.map((name) => (name.typeName === 'string' ? name.asString() : '')),
    helloOk: body.safeBoolean('helloOk', false),
    awaitMs: parseAwait(body, op),
  };
}

/** topologyVersion and maxAwaitTimeMS go together. */
function parseAwait(body: CommandBody, op: OperationContext): number | undefined {
  const version = body.document('topologyVersion', undefined);
  const awaitMs = body.integer('maxAwaitTimeMS', undefined);
  if (version === undefined) {
    uassert(
      awaitMs === undefined,
      31371,
      "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'",
    );
    return undefined;
  }
  if (awaitMs === undefined) {
    throw new CommandError(
      31368,
      "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'",
    );
  }
  uassert(awaitMs >= 0, 31373, "'maxAwaitTimeMS' must be a non-negative integer");
  return isOurs(version, op) ? awaitMs : undefined;
}

/** Whether the client's view is of this very process, and as new as ours: the counter never moves on a standalone. */
function isOurs(version: Buffer, op: OperationContext): boolean {
  const processId = getField(version, 'processId');
  const counter = getField(version, 'counter');
  if (processId?.typeName !== 'objectId' || counter === undefined || !counter.isNumber) {
    throw new CommandError('BadValue', 'topologyVersion needs a processId and a counter');
  }
  if (!processId.asObjectIdBytes().equals(op.service.identity.processObjectId)) return false;
  uassert(
    counter.asNumber() <= 0,
    31382,
    `Received a topology version with counter: ${counter.asNumber()} which is greater than the server topology version counter: 0`,
  );
  return true;
}

async function waitForChange(request: HelloRequest, op: OperationContext, awaitMs: number) {
  await op.sleep(awaitMs);
  op.exhaust = {};
  return request;
}

function greet(request: HelloRequest, op: OperationContext): MaybePromise<HelloRequest> {
  const connection = op.connection;
  if (connection !== undefined) {
    if (request.metadata !== undefined) acceptClientMetadata(connection, request.metadata);
    const isFirst = !connection.handshakeDone;
    connection.handshakeDone = true;
    if (isFirst && request.compression !== undefined) {
      const offered = op.service.offeredCompressors.filter(isCompressorName);
      const agreed = prepareCompressors(negotiateCompressors(request.compression, offered));
      if (agreed instanceof Promise) {
        return agreed.then((ready) => {
          connection.compressors = ready;
          return answerNowOrLater(request, op);
        });
      }
      connection.compressors = agreed;
    }
  }
  return answerNowOrLater(request, op);
}

function answerNowOrLater(request: HelloRequest, op: OperationContext): MaybePromise<HelloRequest> {
  return request.awaitMs === undefined ? request : waitForChange(request, op, request.awaitMs);
}

function describe(request: HelloRequest, op: OperationContext, first: ReplyFields): ReplyFields {
  const { identity } = op.service;
  const agreed = request.compression === undefined ? undefined : op.connection?.compressors;
  return {
    ...(request.helloOk ? { helloOk: true } : {}),
    ...first,
    topologyVersion: {
      processId: objectIdValue(identity.processObjectId),
      counter: int64Value(0n),
    },
    maxBsonObjectSize: MAX_BSON_OBJECT_BYTES,
    maxMessageSizeBytes: MAX_MESSAGE_BYTES,
    maxWriteBatchSize: MAX_WRITE_BATCH_COUNT,
    localTime: new Date(op.service.clock.wallMs()),
    logicalSessionTimeoutMinutes: op.service.sessions.timeoutMinutes,
    connectionId: op.connection?.id,
    minWireVersion: MIN_WIRE_VERSION,
    maxWireVersion: MAX_WIRE_VERSION,
    readOnly: false,
    ...(op.service.isConfigServer ? { configsvr: 2 } : {}),
    ...(agreed === undefined || agreed.length === 0 ? {} : { compression: agreed }),
  };
}
