/**
 * What an index's specification says of its use beyond its kind. Each specification is read once.
 */
import { getField } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';

const HIDDEN = new WeakMap<Buffer, boolean>();

/** Hidden indexes are kept up, and never used: not even a hint finds them. */
export function isHidden({ spec }: IndexDescription): boolean {
  let hidden = HIDDEN.get(spec);
  if (hidden === undefined) {
    hidden = getField(spec, 'hidden')?.isTruthy() ?? false;
    HIDDEN.set(spec, hidden);
  }
  return hidden;
}
