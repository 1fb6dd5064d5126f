/**
 * What the server remembers of a collection from its creation on: since when the use of its indexes is counted ($indexStats).
 */
import type { OperationContext } from '../operation/operation-context.ts';
import type { CollectionDescription } from '../../storage/index.ts';

/** To be called in the transaction that creates the collection; counts from its commit on. */
export function noteNewCollection(op: OperationContext, { indexes }: CollectionDescription): void {
  const { indexUsage } = op.service.planner;
  op.afterCommit(() => {
    for (const index of indexes) indexUsage.created(index);
  });
}
