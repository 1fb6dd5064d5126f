/**
 * Indexes as the catalog describes them, for tests of kinds.
 */
import { describeIndex } from '../../../storage/catalog/index-spec.ts';
import type { Ident, IndexDescription } from '../../../storage/index.ts';
import { bytes, type Plain } from '../executor/store.ts';

export function indexOf(spec: Plain): IndexDescription {
  return describeIndex(bytes({ v: 2, name: 'x', ...spec }), { ident: 5 as Ident, ready: true });
}
