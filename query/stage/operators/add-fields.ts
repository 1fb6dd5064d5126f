/**
 * $addFields, also called $set.
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineStage, type StageDefinition } from '../definition.ts';
import { compileFieldTree, fieldTreeMap } from '../field-tree.ts';
import { mapStage } from '../map-stage.ts';

function addFields(name: '$addFields' | '$set'): StageDefinition {
  return defineStage({
    name,
    position: 'anywhere',
    parse: (argument, { context }, shown) => {
      if (argument.type !== BsonType.object) {
        throw new CommandError(
          40272,
          `${name} specification stage must be an object, got ${argument.typeName}`,
        );
      }
      const fields = compileFieldTree(argument.asDocument(), context);
      return [mapStage(name, shown, () => fieldTreeMap(fields))];
    },
  });
}

export const $addFields = addFields('$addFields');
export const $set = addFields('$set');
