/**
 * Tables of filters: the input is the field `v` of a document, or the argument of an operator.
 */
import { BSON } from 'mongodb';
import { compileFilter } from '../../../query/matcher/compile.ts';
import { raw, testContext } from '../fixtures.ts';
import { type Line, MISSING, outcomeOf, type Table } from './edge.ts';

const shownTemplate = (template: object): string => BSON.EJSON.stringify(template);

/** Filters of finds, where an index would be asked for what only an index knows. */
const FEATURES = { near: true, text: true };

export function matches(filter: object, document: object): string {
  return outcomeOf(() => {
    const compiled = compileFilter(raw(filter), testContext(), FEATURES);
    return String(compiled.matches(raw(document)));
  });
}

/** Whether documents whose `v` is the input match. */
export function matching(operator: string, filter: object, lines: readonly Line[]): Table {
  return {
    operator,
    title: shownTemplate(filter),
    lines,
    run: (input) => [matches(filter, input === MISSING ? {} : { v: input })],
  };
}

/** Whether one document matches a filter with the input as an argument. */
export function filteredBy(
  operator: string,
  filter: (input: unknown) => object,
  document: object,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${shownTemplate(filter('...'))} on ${shownTemplate(document)}`,
    lines,
    run: (input) => [matches(filter(input), document)],
  };
}
