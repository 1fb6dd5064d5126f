/**
 * $documents: documents written in the pipeline itself.
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import { Scope } from '../../expression/scope.ts';
import { defineStage } from '../definition.ts';
import { IterableSource } from '../source.ts';

export const $documents = defineStage({
  name: '$documents',
  position: 'first',
  withoutCollection: true,
  notInside: ['$facet'],
  parse: (argument, { context }, shown) => {
    const expression = compileExpression(argument, context);
    const value = expression.evaluate(new Scope(Buffer.from([5, 0, 0, 0, 0])));
    if (value?.type !== BsonType.array) {
      throw new CommandError(5858203, "'$documents' must evaluate to an array of objects");
    }
    const documents = elementsOf(value).map((element) => {
      if (element.type === BsonType.object) return element.asDocument();
      throw new CommandError(40228, "'$documents' must evaluate to an array of objects");
    });
    return [
      {
        name: '$documents',
        nature: { kind: 'other' },
        shown,
        isSource: true,
        open: () => new IterableSource(documents),
      },
    ];
  },
});
