/**
 * getMore: the next batch of an open cursor.
 * Source: MongoDB's manual, "getMore"; the driver specification of find, getMore and killCursors.
 */
import type { MaybePromise } from '../../../storage/index.ts';
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { type Batch, cursorReply, noteBatch, pullBatch, isOver } from '../../cursors/batch.ts';
import type { OpenCursor } from '../../cursors/cursor-registry.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyBody } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

interface GetMoreRequest {
  readonly id: bigint;
  readonly namespace: string;
  readonly batchSize: number;
}

export const getMore = defineCommand({
  name: 'getMore',
  help: 'Returns the next batch of documents of a cursor.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'cursor',
  apiVersions: ['1'],
  counter: 'getmore',
  parse: parseGetMore,
  execute: (request, op) => {
    const cursor = op.service.cursors.pin(
      request.id,
      { namespace: request.namespace, session: op.session?.key },
      op,
    );
    if (op.remainingTimeMs !== undefined && !cursor.awaitData) {
      op.service.cursors.unpin(cursor, false);
      throw new CommandError(
        'BadValue',
        'cannot set maxTimeMS on getMore command for a non-awaitData cursor',
      );
    }
    if (cursor.awaitData) return awaitBatch(op, cursor, request);
    if (cursor.maxTimeMs !== undefined) op.limitTime(Math.max(1, cursor.maxTimeMs));
    return nextBatch(op, cursor, request);
  },
  reply: (body) => body,
});

function parseGetMore(body: CommandBody): GetMoreRequest {
  if (body.target.type !== BsonType.int64) {
    throw body.wrongType('getMore', body.target, "expected type 'long'");
  }
  const namespace = body.collectionIn('collection');
  const batchSize = body.limit('batchSize');
  body.refuse('term', 'lastKnownCommittedOpTime', 'includeQueryStatsMetrics');
  // 0 means the same as absent: as many as fit into a reply.
  return {
    id: body.target.asInt64(),
    namespace,
    batchSize: batchSize === undefined || batchSize === 0 ? Infinity : batchSize,
  };
}

function nextBatch(
  op: OperationContext,
  cursor: OpenCursor,
  request: GetMoreRequest,
): MaybePromise<ReplyBody> {
  const fail = (error: unknown): never => {
    op.service.cursors.unpin(cursor, true);
    throw error;
  };
  try {
    cursor.producer.attach(op.view(), op);
    const batch = pullBatch(cursor.producer, request.batchSize, op.service.work, cursor.stashed);
    if (!(batch instanceof Promise)) return conclude(op, cursor, batch);
    return batch.then((ready) => conclude(op, cursor, ready)).catch(fail);
  } catch (error) {
    return fail(error);
  }
}

/** How long getMore waits at the end of a collection when the client does not say, milliseconds: as in MongoDB. */
const DEFAULT_AWAIT_MS = 1000;

/**
 * The next batch of a cursor that waits for it. Each commit that adds to the collection wakes it; in between it holds
 * neither a view nor a turn.
 */
async function awaitBatch(
  op: OperationContext,
  cursor: OpenCursor,
  request: GetMoreRequest,
): Promise<ReplyBody> {
  const { cappedCollections, clock } = op.service;
  const { producer } = cursor;
  const endMs = clock.monotonicMs() + (op.takeTimeLimit() ?? DEFAULT_AWAIT_MS);
  try {
    for (;;) {
      // Listens before it looks: what is added in between counts, too.
      const news =
        producer.tails === undefined ? undefined : cappedCollections.listen(producer.tails);
      try {
        producer.attach(op.renewView(), op);
        const batch = await pullBatch(producer, request.batchSize, op.service.work, cursor.stashed);
        const leftMs = endMs - clock.monotonicMs();
        const mayWait = batch.documents.length === 0 && !isOver(batch, producer) && leftMs > 0;
        if (!mayWait) return conclude(op, cursor, batch);
        if (producer.awaitGrowth !== undefined) await producer.awaitGrowth(leftMs);
        producer.detach();
        op.releaseView();
        if (news !== undefined) await op.waitAtMost(news.next, leftMs);
      } finally {
        news?.cancel();
      }
    }
  } catch (error) {
    op.service.cursors.unpin(cursor, true);
    throw error;
  }
}

function conclude(op: OperationContext, cursor: OpenCursor, batch: Batch): ReplyBody {
  op.throwIfInterrupted();
  noteBatch(cursor, batch);
  op.report.returnedCount = batch.documents.length;
  op.report.cursorId = cursor.id;
  op.report.originatingCommand = cursor.originatingCommand;
  const exhausted = isOver(batch, cursor.producer);
  op.report.cursorExhausted = exhausted;
  if (!exhausted) cursor.producer.detach();
  // A client that allows exhaust gets the next batches without asking; when it leaves, nobody can ask for them.
  // A tailable cursor that does not wait would answer with nothing, over and over.
  const isIdle = batch.documents.length === 0 && !cursor.awaitData;
  if (!exhausted && !isIdle)
    op.exhaust = { abandon: () => void op.service.cursors.kill(cursor.id) };
  if (cursor.maxTimeMs !== undefined) cursor.maxTimeMs = op.remainingTimeMs ?? cursor.maxTimeMs;
  const id = exhausted ? 0n : cursor.id;
  const reply = cursorReply(id, cursor.namespace, 'nextBatch', batch.documents);
  op.service.cursors.unpin(cursor, exhausted);
  return reply;
}
