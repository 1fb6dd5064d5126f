/**
 * Checks a view before it is created or changed: its place among other views, and its pipeline.
 */
import { getField } from '../../../bson/index.ts';
import { checkPipeline, stagesOf } from '../../../query/index.ts';
import type { Transaction } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { checkViewDefinition, type ViewDefinition } from '../../catalog/view-catalog.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { queryContext } from '../crud/query-context.ts';

/** @throws CommandError for a view that could never be read */
export function checkView(
  op: OperationContext,
  transaction: Transaction,
  definition: ViewDefinition,
): void {
  checkViewDefinition(transaction, definition);
  const { namespace, options } = definition;
  const source = `${splitNamespace(namespace).database}.${getField(options, 'viewOn')?.asString() ?? ''}`;
  // What is wrong in it is said now, not when somebody reads the view.
  checkPipeline(
    stagesOf(getField(options, 'pipeline')),
    source,
    queryContext(op, { collation: getField(options, 'collation')?.asDocument() }),
  );
}
