/**
 * Work on a whole partition, cut into steps: between two of them whoever drives it may let others have their turn.
 */

/** Yields between two steps, at most some microseconds apart; returns the result. */
export type Steps<Result> = Generator<undefined, Result>;

export function* mapInSteps<Item, Result>(
  items: readonly Item[],
  map: (item: Item, position: number) => Result,
): Steps<Result[]> {
  const results: Result[] = [];
  for (const [position, item] of items.entries()) {
    results.push(map(item, position));
    yield;
  }
  return results;
}

/** Items sorted in one step. */
const RUN_ITEMS = 256;

/** A stable sort: short runs, merged two by two. */
export function* sortInSteps<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Steps<readonly Item[]> {
  let runs: (readonly Item[])[] = [];
  for (let start = 0; start < items.length; start += RUN_ITEMS) {
    runs.push(items.slice(start, start + RUN_ITEMS).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: (readonly Item[])[] = [];
    for (let pair = 0; pair < runs.length; pair += 2) {
      const [left, right] = [runs[pair], runs[pair + 1]];
      longer.push(right === undefined ? left : yield* mergeInSteps(left, right, compare));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

/** Items of the left run come first among equals. */
function* mergeInSteps<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Steps<Item[]> {
  const merged: Item[] = [];
  let atLeft = 0;
  let atRight = 0;
  while (atLeft < left.length || atRight < right.length) {
    const takesLeft =
      atRight >= right.length ||
      (atLeft < left.length && compare(left[atLeft], right[atRight]) <= 0);
    merged.push(takesLeft ? left[atLeft] : right[atRight]);
    if (takesLeft) atLeft += 1;
    else atRight += 1;
    if (merged.length % 16 === 0) yield;
  }
  return merged;
}
