/**
 * $elemMatch and $all.
 */
import {
  BsonType,
  fieldsOf,
  firstFieldName,
  getField,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineFieldOperator, type FieldOperatorUse } from '../definition.ts';
import { isOperatorDocument } from '../operator-document.ts';
import { ALWAYS_FALSE, conjunction, type FilterNode } from '../tree.ts';
import { equalityNode } from './equality.ts';
import { regexNode } from './regex.ts';

export const $elemMatch = defineFieldOperator({
  name: '$elemMatch',
  parse: (use) => elementNode(use, use.operand),
});

function elementNode({ path, parser }: FieldOperatorUse, operand: RawValue): FilterNode {
  uassert(operand.type === BsonType.object, 'BadValue', '$elemMatch needs an Object');
  const condition = operand.asDocument();
  const first = firstFieldName(condition) ?? '';
  // { $elemMatch: { $gt: 1 } } is about the elements themselves, { $elemMatch: { $or: [...] } } about their fields.
  if (isOperatorDocument(operand, true) && !parser.isTopLevelOperator(first)) {
    const child = parser.parseFieldOperators('', condition, true);
    return { kind: 'elemMatch', path, over: 'value', child };
  }
  const child = parser.parseFilter(condition, true);
  return { kind: 'elemMatch', path, over: 'object', child };
}

export const $all = defineFieldOperator({
  name: '$all',
  parse: (use) => {
    uassert(use.operand.type === BsonType.array, 'BadValue', '$all needs an array');
    const members = Array.from(fieldsOf(use.operand.asDocument()), ([, member]) => member);
    const [first] = members;
    if (first === undefined) return ALWAYS_FALSE;
    const children = isElementCondition(first)
      ? members.map((member) => elementMember(use, member))
      : members.map((member) => plainMember(use, member));
    return conjunction(children);
  },
});

function isElementCondition(member: RawValue): boolean {
  return member.type === BsonType.object && firstFieldName(member.asDocument()) === '$elemMatch';
}

function elementMember(use: FieldOperatorUse, member: RawValue): FilterNode {
  uassert(isElementCondition(member), 'BadValue', '$all/$elemMatch has to be consistent');
  const condition = getField(member.asDocument(), '$elemMatch');
  uassert(condition !== undefined, 'BadValue', '$all/$elemMatch has to be consistent');
  return elementNode(use, condition);
}

function plainMember(use: FieldOperatorUse, member: RawValue): FilterNode {
  if (member.type === BsonType.regex) {
    const { pattern, options } = member.asRegex();
    return regexNode(use.path, pattern, options);
  }
  const isOperator =
    member.type === BsonType.object &&
    use.parser.isFieldOperator(firstFieldName(member.asDocument()) ?? '');
  uassert(!isOperator, 'BadValue', 'no $ expressions in $all');
  return equalityNode(use.path, member, use.context.collator);
}
