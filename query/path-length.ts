/**
 * How many names a path may have, asked before it is taken apart: one of fifteen megabytes of dots would hold everybody up.
 */
import { uassert } from '../common/assert.ts';

/** Source: MongoDB's BSONDepth::kDefaultMaxAllowableDepth, which its FieldPath heeds. */
const MOST_PARTS = 200;

/** @throws CommandError Overflow. */
export function checkPathLength(path: string): void {
  let dots = 0;
  for (let at = path.indexOf('.'); at >= 0; at = path.indexOf('.', at + 1)) {
    dots += 1;
    uassert(dots < MOST_PARTS, 'Overflow', 'FieldPath is too long');
  }
}
