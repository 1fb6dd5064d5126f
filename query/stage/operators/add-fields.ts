/**
 * $addFields, also called $set.
 */
import { BsonType, fieldsOf, isEmpty } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineStage, type StageDefinition } from '../definition.ts';
import { renamedFields } from '../renamed-fields.ts';
import { compileFieldTree, type FieldNode, fieldTreeMap } from '../field-tree.ts';
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
      if (isEmpty(argument.asDocument())) {
        throw new CommandError(
          40177,
          `Invalid ${name} :: caused by :: specification must have at least one field`,
        );
      }
      const fields = compileFieldTree(argument.asDocument(), context);
      const changed = new Set(
        Array.from(fieldsOf(argument.asDocument()), ([path]) => path.split('.')[0]),
      );
      const stage = mapStage(name, shown, () => fieldTreeMap(fields));
      const read = pathsRead(fields);
      return [
        {
          ...stage,
          keepsField: (field) => !changed.has(field),
          renamedField: renamedFields(argument.asDocument()),
          // What stands beside a field that is set below a path stays.
          ...(read === undefined ? {} : { reads: [...read, ...changed] }),
        },
      ];
    },
  });
}

/** undefined: an expression may read anything. */
function pathsRead(fields: ReadonlyMap<string, FieldNode>): readonly string[] | undefined {
  const paths: string[] = [];
  for (const node of fields.values()) {
    const read = node.kind === 'fields' ? pathsRead(node.fields) : node.expression.paths;
    if (read === undefined) return undefined;
    for (const path of read) paths.push(path);
  }
  return paths;
}

export const $addFields = addFields('$addFields');
export const $set = addFields('$set');
