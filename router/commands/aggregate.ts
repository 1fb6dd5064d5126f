/**
 * aggregate through the router.
 */
import { DocumentBuilder, getField } from '../../bson/index.ts';
import { firstBatch, parseAggregate, type ReplyBody } from '../../server/cluster.ts';
import { openRoutedPipeline } from '../merge/pipeline-run.ts';
import { explainCommand } from './explain.ts';
import type { Call } from './routed-command.ts';

/** Arguments that shards get as the client sent them. */
const FURTHER = ['readConcern', 'comment', 'writeConcern'] as const;

export async function runAggregate(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const request = parseAggregate(body);
  body.rejectUnknownFields();
  op.namespace = request.namespace;
  if (request.isExplain) return explainCommand(call, body.bytes);
  if (!request.namespace.endsWith('.$cmd.aggregate')) router.querySettings.apply(op, body.bytes);
  const further = new DocumentBuilder();
  for (const name of FURTHER) {
    const value = getField(body.bytes, name);
    const writes = name !== 'writeConcern' || writesSomewhere(request.pipeline);
    if (value !== undefined && writes) further.append(name, value);
  }
  const { namespace, batchSize } = request;
  const producer = await openRoutedPipeline(router, op, {
    namespace,
    pipeline: request.pipeline,
    collation: request.collation,
    variables: request.variables,
    hint: getField(body.bytes, 'hint'),
    allowDiskUse: request.allowDiskUse,
    batchSize,
    bypassValidation: request.bypassValidation,
    further: further.finish(),
  });
  return firstBatch(op, { namespace, producer, batchSize });
}

function writesSomewhere(pipeline: readonly Buffer[]): boolean {
  const last = pipeline.at(-1);
  if (last === undefined) return false;
  return getField(last, '$out') !== undefined || getField(last, '$merge') !== undefined;
}
