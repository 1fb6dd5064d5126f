/**
 * The usual kind: values in their order, each field ascending or descending.
 */
import { compileIndexKeys } from '../../../bson/index.ts';
import { orderedField } from '../scan-fields.ts';
import type { IndexKind } from '../index-kind.ts';

export const ordered: IndexKind = {
  name: 'ordered',
  complete: (request) => request,
  keyGenerator: ({ fields, sparse }, collator) =>
    collator === undefined ? undefined : compileIndexKeys(fields, { sparse, collator }),
  scanShapes: (index, { collator }) => {
    const field = orderedField(index, collator);
    return [{ index, fields: index.fields.map(() => field), sparse: index.sparse }];
  },
};
