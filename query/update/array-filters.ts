/**
 * Reads `arrayFilters`: for each identifier of `$[identifier]` the condition that an element must satisfy.
 */
import { isEmpty } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { compileRootedTest } from '../matcher/compile.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { FilterNode, ValueTest } from '../matcher/tree.ts';
import type { ArrayFilters } from './apply.ts';

const IDENTIFIER = /^[a-z][a-zA-Z0-9]*$/;

/** @throws CommandError FailedToParse, BadValue, QueryFeatureNotAllowed. */
export function parseArrayFilters(filters: readonly Buffer[], context: QueryContext): ArrayFilters {
  const byIdentifier = new Map<string, ValueTest>();
  for (const filter of filters) {
    const tree = parseFilter(filter, context, { expr: false, jsonSchema: false });
    const identifier = isEmpty(filter) ? undefined : identifierOf(tree);
    uassert(
      identifier !== undefined,
      'FailedToParse',
      'Cannot use an expression without a top-level field name in arrayFilters',
    );
    if (!IDENTIFIER.test(identifier)) {
      throw new CommandError(
        'BadValue',
        `Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${identifier}'`,
      );
    }
    if (byIdentifier.has(identifier)) {
      throw new CommandError(
        'FailedToParse',
        `Found multiple array filters with the same top-level field name ${identifier}`,
      );
    }
    byIdentifier.set(identifier, compileRootedTest(tree));
  }
  return byIdentifier;
}

/** The one field that all paths begin with; undefined when there is no path. */
function identifierOf(node: FilterNode): string | undefined {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return node.path.split('.')[0];
    case 'not':
      return identifierOf(node.child);
    case 'document':
    case 'constant':
      return undefined;
    default:
      return sharedIdentifier(node.children);
  }
}

function sharedIdentifier(children: readonly FilterNode[]): string | undefined {
  let shared: string | undefined;
  for (const child of children) {
    const identifier = identifierOf(child);
    if (shared !== undefined && identifier !== undefined && identifier !== shared) {
      throw new CommandError(
        'FailedToParse',
        `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${shared}' and '${identifier}'`,
      );
    }
    shared ??= identifier;
  }
  return shared;
}
