/**
 * $and, $or, $nor over whole filters, and $not over the operators of one field.
 */
import {
  BsonType,
  FieldCursor,
  isEmpty,
  type Collator,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { LongStep } from '../../long-steps.ts';
import {
  defineFieldOperator,
  defineTopLevelOperator,
  type TopLevelOperatorUse,
} from '../definition.ts';
import { conjunction, disjunction, negation, type FilterNode } from '../tree.ts';
import { anyOfNode } from './in.ts';
import { regexNode } from './regex.ts';

export const $and = defineTopLevelOperator({
  name: '$and',
  parse: (use) => conjunction(entriesOf(use)),
});

export const $or = defineTopLevelOperator({
  name: '$or',
  parse: (use) => {
    const entries = entriesOf(use);
    return asMembership(entries, use.context.collator) ?? disjunction(entries);
  },
});

/** Several equalities about one path are one $in: one look-up instead of many comparisons, and one scan of an index. */
function asMembership(
  entries: readonly FilterNode[],
  collator: Collator | undefined,
): FilterNode | undefined {
  const [first] = entries;
  if (entries.length < 2 || first.kind !== 'leaf') return undefined;
  const operands: RawValue[] = [];
  for (const entry of entries) {
    const isEquality =
      entry.kind === 'leaf' && entry.path === first.path && entry.operator === '$eq';
    // A regex as an operand of $eq is equal to a stored regex only; in an $in it would be searched for.
    if (!isEquality || entry.operands[0].type === BsonType.regex) return undefined;
    operands.push(entry.operands[0]);
  }
  return anyOfNode(first.path, operands, [], collator);
}

export const $nor = defineTopLevelOperator({
  name: '$nor',
  parse: (use) => ({ kind: 'nor', children: entriesOf(use) }),
});

function entriesOf({ name, operand, parser, nested }: TopLevelOperatorUse): FilterNode[] {
  if (operand.type !== BsonType.array) {
    throw new CommandError('BadValue', `${name} must be an array`);
  }
  return ENTRIES.run(function* () {
    const entries: FilterNode[] = [];
    const cursor = new FieldCursor(operand.bytes, operand.start);
    while (cursor.next()) {
      uassert(
        cursor.type === BsonType.object,
        'BadValue',
        '$or/$and/$nor entries need to be full objects',
      );
      entries.push(parser.parseFilter(cursor.value().asDocument(), nested));
      if (entries.length % ENTRIES_PER_PIECE === 0) yield;
    }
    uassert(entries.length > 0, 'BadValue', '$and/$or/$nor must be a nonempty array');
    return entries;
  });
}

const ENTRIES = new LongStep<FilterNode[]>();
const ENTRIES_PER_PIECE = 64;

export const $not = defineFieldOperator({
  name: '$not',
  parse: ({ path, operand, parser, nested }) => {
    if (operand.type === BsonType.regex) {
      const { pattern, options } = operand.asRegex();
      return negation(regexNode(path, pattern, options));
    }
    uassert(operand.type === BsonType.object, 'BadValue', '$not needs a regex or a document');
    const operators = operand.asDocument();
    uassert(!isEmpty(operators), 'BadValue', '$not cannot be empty');
    return negation(parser.parseFieldOperators(path, operators, nested));
  },
});
