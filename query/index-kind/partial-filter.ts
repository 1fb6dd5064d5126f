/**
 * The filter of a partial index: only documents that match it have entries. Compiled once per specification.
 */
import { BsonType, getField, inspect } from '../../bson/index.ts';
import { systemClock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { systemRandom } from '../../common/random.ts';
import { simpleContext } from '../context.ts';
import { compileFilter } from '../matcher/compile.ts';
import type { Filter } from '../matcher/filter.ts';
import type { FilterNode, LeafNode, LeafOperator } from '../matcher/tree.ts';
import type { IndexDescription } from '../../storage/index.ts';
import { collatorOf } from './collation.ts';

const FILTERS = new WeakMap<Buffer, { readonly filter: Filter | undefined }>();

/** undefined: every document is in the index. Strings are compared by the index's own collation. */
export function partialFilterOf(index: Pick<IndexDescription, 'spec'>): Filter | undefined {
  let known = FILTERS.get(index.spec);
  if (known === undefined) {
    known = { filter: compilePartialFilter(index) };
    FILTERS.set(index.spec, known);
  }
  return known.filter;
}

function compilePartialFilter(index: Pick<IndexDescription, 'spec'>): Filter | undefined {
  const expression = getField(index.spec, 'partialFilterExpression');
  if (expression?.type !== BsonType.object) return undefined;
  const collator = collatorOf(index);
  // None of the operators that are allowed in it looks at the time, or at random numbers.
  const context = simpleContext(systemClock, systemRandom);
  return compileFilter(
    expression.asDocument(),
    collator === undefined ? context : { ...context, collator },
  );
}

/**
 * Checks what a client wants as the filter of a partial index.
 * @throws CommandError what compiling says; CannotCreateIndex for operators that a partial index may not have
 */
export function checkPartialFilter(expression: Buffer): void {
  const context = simpleContext(systemClock, systemRandom);
  checkNode(compileFilter(expression, context, { javascript: false }).tree);
}

const ALLOWED_OPERATORS: ReadonlySet<LeafOperator> = new Set([
  '$eq',
  '$exists',
  '$geoIntersects',
  '$geoWithin',
  '$gt',
  '$gte',
  '$in',
  '$lt',
  '$lte',
  '$type',
]);

function checkNode(node: FilterNode): void {
  switch (node.kind) {
    case 'and':
    case 'or':
      for (const child of node.children) checkNode(child);
      return;
    case 'leaf':
      if (ALLOWED_OPERATORS.has(node.operator)) return;
      break;
    case 'document':
      throw new CommandError(
        node.operator === '$expr' || node.operator === '$jsonSchema'
          ? 'QueryFeatureNotAllowed'
          : 'BadValue',
        `${node.operator} is not allowed in this context`,
      );
    case 'not':
    case 'nor':
    case 'elemMatch':
    case 'constant':
  }
  throw new CommandError(
    'CannotCreateIndex',
    `Expression not supported in partial index: ${filterText(node)}`,
  );
}

/** As MongoDB prints a condition: its operator on a line, what stands below it indented. */
function filterText(node: FilterNode, indent = ''): string {
  switch (node.kind) {
    case 'leaf':
      return `${indent}${node.path} ${leafText(node)}\n`;
    case 'elemMatch':
      return `${indent}${node.path} $elemMatch (${node.over === 'value' ? 'value' : 'obj'})\n${filterText(node.child, `${indent}    `)}`;
    case 'not':
      return `${indent}$not\n${filterText(node.child, `${indent}    `)}`;
    case 'and':
    case 'or':
    case 'nor':
      return `${indent}$${node.kind}\n${node.children.map((child) => filterText(child, `${indent}    `)).join('')}`;
    case 'document':
      return `${indent}${node.operator} ${inspect(node.operand)}\n`;
    case 'constant':
      return `${indent}${node.value ? '$alwaysTrue' : '$alwaysFalse'}: 1\n`;
  }
}

function leafText({ operator, operands }: LeafNode): string {
  if (operator === '$exists') return 'exists';
  if (operator === '$in') return `$in [ ${operands.map((operand) => inspect(operand)).join(' ')} ]`;
  return `${operator} ${inspect(operands[0])}`;
}
