/**
 * $replaceRoot and $replaceWith: an expression's document in the place of the input.
 */
import { BsonType, fieldsOf, inspect, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import { Scope } from '../../expression/scope.ts';
import { typeNameOf } from '../../expression/types.ts';
import { defineStage } from '../definition.ts';
import { mapStage } from '../map-stage.ts';
import type { DocumentMap } from '../source.ts';

function replaceMap(newRoot: RawValue, context: QueryContext): () => DocumentMap {
  const expression = compileExpression(newRoot, context);
  return () => {
    const scope = new Scope(Buffer.alloc(0));
    return (document) => {
      scope.document = document;
      const value = expression.evaluate(scope);
      if (value?.type === BsonType.object) return value.asDocument();
      const shown = value === undefined ? 'MISSING' : inspect(value);
      throw new CommandError(
        40228,
        `'newRoot' expression  must evaluate to an object, but resulting value was: ${shown}. Type of resulting value: '${typeNameOf(value)}'. Input document: ${inspect(document)}`,
      );
    };
  };
}

export const $replaceRoot = defineStage({
  name: '$replaceRoot',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(
        40229,
        `expected an object as specification for $replaceRoot stage, got ${argument.typeName}`,
      );
    }
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (name === 'newRoot') continue;
      throw new CommandError(
        'IDLUnknownField',
        `BSON field '$replaceRoot.${name}' is an unknown field.`,
      );
    }
    const newRoot = given.get('newRoot');
    if (newRoot === undefined) {
      throw new CommandError(
        'IDLFailedToParse',
        "BSON field '$replaceRoot.newRoot' is missing but a required field",
      );
    }
    return [mapStage('$replaceRoot', shown, replaceMap(newRoot, context))];
  },
});

export const $replaceWith = defineStage({
  name: '$replaceWith',
  position: 'anywhere',
  parse: (argument, { context }, shown) => [
    mapStage('$replaceWith', shown, replaceMap(argument, context)),
  ],
});
