/**
 * $where: a JavaScript predicate on the document, which it sees as `this` and as `obj`.
 */
import { BsonType, DocumentBuilder } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { isTrue } from '../../script/script-session.ts';
import { defineTopLevelOperator } from '../definition.ts';
import type { DocumentTest } from '../tree.ts';
import { valueOfDocumentAt } from './document.ts';

export const $where = defineTopLevelOperator({
  name: '$where',
  parse: ({ operand, context, parser, nested }) => {
    uassert(
      parser.features.javascript !== false,
      'BadValue',
      '$where is not allowed in this context',
    );
    uassert(!nested, 'BadValue', '$where can only be applied to the top-level document');
    uassert(
      operand.type === BsonType.string ||
        operand.type === BsonType.javascript ||
        operand.type === BsonType.javascriptWithScope,
      'BadValue',
      '$where got bad type',
    );
    uassert(
      operand.type !== BsonType.javascriptWithScope,
      'BadValue',
      '$where no longer supports deprecated BSON type CodeWScope',
    );
    uassert(context.scripts !== undefined, 6108304, 'no globalScriptEngine in $where parsing');
    const session = context.scripts.use();
    const sources = [operand.asString()];
    const test: DocumentTest = (bytes, start) => {
      const given = new DocumentBuilder().append('self', valueOfDocumentAt(bytes, start)).finish();
      return isTrue(session.valueOf({ kind: 'where', sources, given }));
    };
    return { kind: 'document', operator: '$where', operand, test, usesScripts: true };
  },
});
