/**
 * Compares the compiled forms with the slow reference over random input: filters, updates, sort orders.
 *
 * Promises: a seed repeats its cases; the first case that differs is thrown with everything that is needed to see it.
 */
import { isDeepStrictEqual } from 'node:util';
import { compileSort, documentValue, inspect } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { SeededRandom } from '../../../common/random.ts';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { compileUpdate } from '../../../query/update/compile.ts';
import { raw, testContext } from '../fixtures.ts';
import { matchesDocument } from './match.ts';
import { randomDocument, randomFilter, randomSort, randomUpdate } from './random-query.ts';
import { compareSortKeys, sortKey } from './sort.ts';
import { applyUpdate, OutOfScope, Refused } from './update.ts';
import { decode } from './value.ts';

/** How the cases of one comparison came out. */
export interface Tally {
  readonly cases: number;
  /** Cases by outcome, which says whether the comparison looked at more than one kind. */
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface Comparison {
  readonly name: string;
  /** @returns the outcome that both have, or what differs. @throws Error when they do not agree. */
  readonly compareOne: (random: SeededRandom) => string;
}

export function runComparison(comparison: Comparison, seed: number, cases: number): Tally {
  const random = new SeededRandom(seed);
  const outcomes: Record<string, number> = {};
  for (let done = 0; done < cases; done += 1) {
    const outcome = comparison.compareOne(random);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return { cases, outcomes };
}

function differs(what: string, expected: unknown, found: unknown, given: readonly Buffer[]): Error {
  const shown = (value: unknown): string =>
    JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
  const lines = given.map((document) => `  ${inspect(document)}`);
  return new Error(
    [`${what}: the reference says ${shown(expected)}, found ${shown(found)}, for`, ...lines].join(
      '\n',
    ),
  );
}

const filters: Comparison = {
  name: 'filters',
  compareOne(random) {
    const plain = randomDocument(random);
    const document = raw(plain);
    const filter = raw(randomFilter(random, plain));
    const expected = matchesDocument(decode(filter), decode(document));
    const found = compileFilter(filter, testContext()).matches(document);
    if (found !== expected) throw differs('filter', expected, found, [filter, document]);
    return expected ? 'match' : 'no match';
  },
};

const updates: Comparison = {
  name: 'updates',
  compareOne(random) {
    const plain = randomDocument(random);
    const document = raw(plain);
    const { update, arrayFilters = [] } = randomUpdate(random, plain);
    const modifiers = raw(update);
    const elementFilters = arrayFilters.map(raw);
    const expected = refusalOr(() =>
      applyUpdate(decode(modifiers), elementFilters.map(decode), decode(document)),
    );
    if (expected === 'out of scope') return expected;
    const found = refusalOr(() => {
      const options = elementFilters.length === 0 ? {} : { arrayFilters: elementFilters };
      const compiled = compileUpdate(documentValue(modifiers), {
        context: testContext(),
        ...options,
      });
      return decode(compiled.apply(document));
    });
    if (!isDeepStrictEqual(found, expected)) {
      throw differs('update', expected, found, [modifiers, ...elementFilters, document]);
    }
    return expected === 'refused' ? expected : 'applied';
  },
};

function refusalOr<T>(run: () => T): T | 'refused' | 'out of scope' {
  try {
    return run();
  } catch (error) {
    if (error instanceof OutOfScope) return 'out of scope';
    if (error instanceof Refused || error instanceof CommandError) return 'refused';
    throw error;
  }
}

const sortOrders: Comparison = {
  name: 'sort orders',
  compareOne(random) {
    const [a, b] = [raw(randomDocument(random)), raw(randomDocument(random))];
    const pattern = raw(randomSort(random));
    const fields = decode(pattern);
    const keys = [a, b].map((document) => sortKey(fields, decode(document)));
    const expected =
      keys[0] === undefined || keys[1] === undefined
        ? 'refused'
        : Math.sign(compareSortKeys(fields, keys[0], keys[1]));
    const found = refusalOr(() => {
      const sort = compileSort(pattern);
      return Math.sign(sort.compare(sort.keyOf(a), sort.keyOf(b)));
    });
    if (found !== expected) throw differs('sort order', expected, found, [pattern, a, b]);
    return expected === 'refused' ? expected : ['before', 'equal', 'after'][Number(expected) + 1];
  },
};

export const COMPARISONS: readonly Comparison[] = [filters, updates, sortOrders];
