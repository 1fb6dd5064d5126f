/**
 * $count and $sortByCount: short forms of $group.
 */
import {
  BsonType,
  DocumentBuilder,
  documentOf,
  documentValue,
  FieldCursor,
  int32Value,
  NULL,
  type RawValue,
  unsetField,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { defineStage } from '../definition.ts';
import { mapStage } from '../map-stage.ts';
import { compileGroupField, groupStage } from './group.ts';
import { sortStage } from './sort.ts';

function single(name: string, value: RawValue): RawValue {
  return documentValue(new DocumentBuilder().append(name, value).finish());
}

export const $count = defineStage({
  name: '$count',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    const name = argument.asString();
    uassert(argument.type === BsonType.string, 40156, 'the count field must be a non-empty string');
    uassert(name !== '', 40157, 'the count field must be a non-empty string');
    uassert(!name.startsWith('$'), 40158, 'the count field cannot be a $-prefixed path');
    uassert(!name.includes('\0'), 40159, 'the count field cannot contain a null byte');
    uassert(!name.includes('.'), 40160, "the count field cannot contain '.'");
    uassert(name !== '_id', 15948, "a group's _id may only be specified once");
    const group = groupStage(
      '$group',
      {
        id: compileExpression(NULL, context),
        fields: [compileGroupField(name, single('$sum', int32Value(1)), context)],
      },
      shown,
    );
    return [{ ...group, name: '$count' }, withoutId()];
  },
});

function withoutId() {
  const shown = documentOf({ $project: documentOf({ _id: false }) });
  return mapStage('$project', shown, () => (document) => unsetField(document, '_id'));
}

export const $sortByCount = defineStage({
  name: '$sortByCount',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type === BsonType.object) {
      const cursor = new FieldCursor(argument.asDocument());
      uassert(
        cursor.next() && cursor.name.startsWith('$'),
        40147,
        'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
      );
    } else if (argument.type === BsonType.string) {
      uassert(
        argument.asString().startsWith('$'),
        40148,
        'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
      );
    } else {
      throw new CommandError(
        40149,
        `the sortByCount field must be specified as a string or as an object, not ${argument.typeName}`,
      );
    }
    const pattern = new DocumentBuilder().appendInt32('count', -1).finish();
    const sort = parseSort(pattern);
    uassert(sort !== undefined, 15976, '$sort stage must have at least one sort key');
    return [
      groupStage(
        '$group',
        {
          id: compileExpression(argument, context),
          fields: [compileGroupField('count', single('$sum', int32Value(1)), context)],
        },
        shown,
      ),
      sortStage(
        pattern,
        sortOrderOf(sort, context),
        0,
        new DocumentBuilder().appendDocument('$sort', pattern).finish(),
      ),
    ];
  },
});
