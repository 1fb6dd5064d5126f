/**
 * A slow reference of MongoDB's sort order over decoded documents.
 *
 * Source: MongoDB's manual, "Sort Results": an ascending sort takes an array's least value, a descending one its greatest;
 * an empty array lies below null, and a missing field counts as null.
 */
import { compare, NULL, TYPE, type Fields, type Value } from './value.ts';

/** Below null: what an empty array sorts as. */
type SortValue = Value | 'empty';

/** @returns undefined when two fields of the pattern would have to be taken from two arrays. */
export function sortKey(pattern: Fields, document: Fields): SortValue[] | undefined {
  const reached = pattern.map(([path]) => valuesForSort(path.split('.'), document));
  if (reached.filter(({ crossesArray }) => crossesArray).length > 1) return undefined;
  return reached.map(({ values }, index) => {
    const sign = directionOf(pattern[index][1]);
    return values.toSorted((a, b) => sign * compareSortValues(a, b))[0];
  });
}

export function compareSortKeys(
  pattern: Fields,
  a: readonly SortValue[],
  b: readonly SortValue[],
): number {
  for (const [index, [, direction]] of pattern.entries()) {
    const order = compareSortValues(a[index], b[index]);
    if (order !== 0) return order * directionOf(direction);
  }
  return 0;
}

function directionOf(value: Value): number {
  if (value.type !== TYPE.int) throw new Error('a direction is 1 or -1');
  return value.number;
}

function compareSortValues(a: SortValue, b: SortValue): number {
  if (a === 'empty' || b === 'empty') return Number(a !== 'empty') - Number(b !== 'empty');
  return compare(a, b);
}

function valuesForSort(
  path: readonly string[],
  document: Fields,
): { values: SortValue[]; crossesArray: boolean } {
  const [name, ...rest] = path;
  const found = document.find(([field]) => field === name)?.[1];
  if (found?.type === TYPE.array) {
    const values = found.elements.flatMap((element): SortValue[] => {
      if (rest.length === 0) return [element];
      return element.type === TYPE.object ? valuesForSort(rest, element.fields).values : [NULL];
    });
    if (values.length === 0) values.push(rest.length === 0 ? 'empty' : NULL);
    return { values, crossesArray: true };
  }
  if (rest.length === 0) return { values: [found ?? NULL], crossesArray: false };
  if (found?.type === TYPE.object) return valuesForSort(rest, found.fields);
  return { values: [NULL], crossesArray: false };
}
