/**
 * What reads ask of a view of a sharded collection, as a pipeline.
 */
import { EMPTY_DOCUMENT, getField } from '../../bson/index.ts';
import type { CursorProducer } from '../../server/cluster.ts';
import { openRoutedPipeline } from '../merge/pipeline-run.ts';
import { collationThrough, type ShardedView } from '../routing/views.ts';
import { documentIn } from '../writes/statement.ts';
import type { Call } from './routed-command.ts';

export interface ViewRead {
  readonly view: ShardedView;
  /** Behind the view's own. */
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer | undefined;
  readonly batchSize?: number | undefined;
}

export function openOverView(
  { router, op, body }: Call,
  { view, pipeline, collation, batchSize }: ViewRead,
): Promise<CursorProducer> {
  return openRoutedPipeline(router, op, {
    namespace: view.namespace,
    pipeline: [...view.pipeline, ...pipeline],
    collation: collationThrough(view, collation),
    variables: documentIn(body.bytes, 'let'),
    hint: getField(body.bytes, 'hint'),
    allowDiskUse: getField(body.bytes, 'allowDiskUse')?.isTruthy(),
    batchSize,
    bypassValidation: false,
    further: EMPTY_DOCUMENT,
  });
}
