/**
 * What arrays on the paths of an index forbid.
 *
 * Owns: the rules under which conditions may be combined on a multikey index. A key holds, for each array on the way, values of one
 * element. Conditions that may be met by different elements of one array are met by no single key, so that only one of them may give
 * bounds; those in one $elemMatch are met by the same element. Source: MongoDB's manual, "Multikey Index Bounds".
 */
import type { IndexDescription } from '../../storage/index.ts';
import type { ElementScope, Predicate } from './predicate.ts';

/** Whether the keys of a field may be less than the field's whole value. */
export function mayHoldArrays(index: IndexDescription, position: number): boolean {
  return index.multikey && index.multikeyPaths[position]?.length !== 0;
}

/** Whether two fields of an index lead into an array that they share: their values in a key belong to one element of it. */
export function shareArray(index: IndexDescription, position: number, other: number): boolean {
  const shared = commonParts(index.fields[position].path, index.fields[other].path);
  return arraysOf(index, position, other).some((component) => component < shared);
}

function arraysOf(
  { multikeyPaths }: IndexDescription,
  position: number,
  other: number,
): readonly number[] {
  const components = multikeyPaths[position] ?? [];
  const others = multikeyPaths[other] ?? [];
  return other === position ? components : [...components, ...others];
}

/** How many parts two paths have in common at their beginning. */
function commonParts(left: string, right: string): number {
  const parts = left.split('.');
  const others = right.split('.');
  let common = 0;
  while (common < parts.length && parts[common] === others[common]) common += 1;
  return common;
}

/** The conditions of one scan that its bounds may hold together. */
export class CombinedConditions {
  private readonly index: IndexDescription;
  /** One for each field and innermost $elemMatch: all that is in the same one is alike. */
  private readonly kinds: {
    readonly position: number;
    readonly within: readonly ElementScope[];
  }[] = [];

  constructor(index: IndexDescription) {
    this.index = index;
  }

  mayAdd(position: number, { within }: Predicate): boolean {
    return this.kinds.every((kind) => {
      const shared = commonParts(
        this.index.fields[position].path,
        this.index.fields[kind.position].path,
      );
      const bound = commonDepth(within, kind.within);
      return arraysOf(this.index, position, kind.position).every(
        (component) => component >= shared || component < bound,
      );
    });
  }

  add(position: number, { within }: Predicate): void {
    const innermost = within.at(-1)?.node;
    const isKnown = this.kinds.some(
      (kind) => kind.position === position && kind.within.at(-1)?.node === innermost,
    );
    if (!isKnown) this.kinds.push({ position, within });
  }
}

/** How many parts of both paths lead to one and the same element. */
function commonDepth(left: readonly ElementScope[], right: readonly ElementScope[]): number {
  let depth = 0;
  for (let place = 0; place < left.length; place += 1) {
    if (left[place].node !== right[place]?.node) break;
    depth = left[place].depth;
  }
  return depth;
}
