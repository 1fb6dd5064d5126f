/**
 * Reads a filter document into a tree.
 *
 * Promises: the whole filter is checked here; a tree that was built matches without errors (but for those of $expr).
 * Never: knows an operator by name; definitions do (registry.ts).
 */
import { BsonType, fieldsOf, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { checkPathLength } from '../path-length.ts';
import type { FilterFeatures, FilterParser } from './definition.ts';
import { isOperatorDocument } from './operator-document.ts';
import { equalityNode } from './operators/equality.ts';
import { regexNode } from './operators/regex.ts';
import { FIELD_OPERATORS, TOP_LEVEL_OPERATORS } from './registry.ts';
import { conjunction, type FilterNode } from './tree.ts';

/** @throws CommandError as MongoDB does: BadValue for unknown operators and bad operands, and others. */
export function parseFilter(
  filter: Buffer,
  context: QueryContext,
  features: FilterFeatures = {},
): FilterNode {
  return new Parser(context, features).parseFilter(filter, false);
}

class Parser implements FilterParser {
  readonly context: QueryContext;
  readonly features: FilterFeatures;

  constructor(context: QueryContext, features: FilterFeatures) {
    this.context = context;
    this.features = features;
  }

  parseFilter(filter: Buffer, nested: boolean): FilterNode {
    const nodes: FilterNode[] = [];
    for (const [name, operand] of fieldsOf(filter)) {
      const node = name.startsWith('$')
        ? this.topLevelOperator(name, operand, nested)
        : this.field(name, operand, nested);
      if (node !== undefined) nodes.push(node);
    }
    return conjunction(nodes);
  }

  parseFieldOperators(path: string, operators: Buffer, nested: boolean): FilterNode {
    const nodes: FilterNode[] = [];
    for (const [name, operand] of fieldsOf(operators)) {
      const definition = FIELD_OPERATORS.get(name) ?? refuseFieldOperator(name);
      const node = definition.parse({
        path,
        name,
        operand,
        siblings: operators,
        context: this.context,
        parser: this,
        nested,
      });
      if (node !== undefined) nodes.push(node);
    }
    return conjunction(nodes);
  }

  isFieldOperator(name: string): boolean {
    return FIELD_OPERATORS.has(name);
  }

  isTopLevelOperator(name: string): boolean {
    return TOP_LEVEL_OPERATORS.has(name);
  }

  private field(path: string, operand: RawValue, nested: boolean): FilterNode {
    checkPathLength(path);
    if (isOperatorDocument(operand)) {
      return this.parseFieldOperators(path, operand.asDocument(), nested);
    }
    if (operand.type === BsonType.regex) {
      const { pattern, options } = operand.asRegex();
      return regexNode(path, pattern, options);
    }
    return equalityNode(path, operand, this.context.collator);
  }

  private topLevelOperator(
    name: string,
    operand: RawValue,
    nested: boolean,
  ): FilterNode | undefined {
    const definition = TOP_LEVEL_OPERATORS.get(name) ?? refuseTopLevelOperator(name);
    return definition.parse({ name, operand, context: this.context, parser: this, nested });
  }
}

function refuseFieldOperator(name: string): never {
  if (name === '$where') {
    throw new CommandError('BadValue', '$where cannot be applied to a field');
  }
  throw new CommandError('BadValue', `unknown operator: ${name}`);
}

function refuseTopLevelOperator(name: string): never {
  throw new CommandError(
    'BadValue',
    `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
  );
}
