/**
 * $redact: an expression decides for each document, level by level, what is kept.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  FieldCursor,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Expression } from '../../expression/expression.ts';
import { Scope } from '../../expression/scope.ts';
import { defineStage } from '../definition.ts';
import { mapStage } from '../map-stage.ts';

/** MongoDB's: documents that nest deeper are no BSON to it. */
const MAX_DEPTH = 200;

function checkDepth(depth: number): void {
  if (depth <= MAX_DEPTH) return;
  throw new CommandError(
    'Overflow',
    `cannot convert document to BSON because it exceeds the limit of ${MAX_DEPTH} levels of nesting`,
  );
}

interface Redaction {
  readonly expression: Expression;
  readonly scope: Scope;
}

/** @returns undefined when the document goes. */
function redact(document: Buffer, redaction: Redaction, depth: number): Buffer | undefined {
  const { expression, scope } = redaction;
  scope.document = document;
  const decision = expression.evaluate(scope);
  const word = decision?.type === BsonType.string ? decision.asString() : '';
  switch (word) {
    case 'keep':
      return document;
    case 'prune':
      return undefined;
    case 'descend':
      return redactBelow(document, redaction, depth);
    default:
      throw new CommandError(17053, '$redact must return $$KEEP, $$PRUNE, or $$DESCEND');
  }
}

function redactBelow(document: Buffer, redaction: Redaction, depth: number): Buffer {
  checkDepth(depth);
  const builder = new DocumentBuilder(document.length);
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    if (cursor.type === BsonType.object) {
      const kept = redact(cursor.value().asDocument(), redaction, depth + 1);
      if (kept !== undefined) builder.appendDocument(cursor.name, kept);
    } else if (cursor.type === BsonType.array) {
      builder.append(cursor.name, redactArray(cursor.value().asDocument(), redaction, depth + 1));
    } else builder.appendElementBytes(document, cursor.elementStart, cursor.valueEnd);
  }
  return builder.finish();
}

function redactArray(array: Buffer, redaction: Redaction, depth: number): RawValue {
  checkDepth(depth);
  const list = new ArrayBuilder();
  const cursor = new FieldCursor(array);
  while (cursor.next()) {
    const value = cursor.value();
    if (cursor.type === BsonType.object) {
      const kept = redact(value.asDocument(), redaction, depth + 1);
      if (kept !== undefined) list.pushDocument(kept);
    } else if (cursor.type === BsonType.array) {
      list.push(redactArray(value.asDocument(), redaction, depth + 1));
    } else list.push(value);
  }
  return arrayValue(list.finish());
}

export const $redact = defineStage({
  name: '$redact',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    const expression = compileExpression(argument, context);
    const makeMap = () => {
      const redaction = { expression, scope: new Scope(Buffer.alloc(0)) };
      return (document: Buffer) => redact(document, redaction, 1);
    };
    return [mapStage('$redact', shown, makeMap, { kind: 'other' })];
  },
});
