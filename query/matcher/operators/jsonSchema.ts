/**
 * $jsonSchema: the whole document satisfies a JSON schema.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { defineTopLevelOperator } from '../definition.ts';
import { parseSchema } from '../json-schema/parse.ts';
import type { Schema } from '../json-schema/schema.ts';
import type { DocumentNode } from '../tree.ts';
import { valueOfDocumentAt } from './document.ts';

/** The node carries its schema, so that a failed validation can be explained. */
export interface SchemaNode extends DocumentNode {
  readonly operator: '$jsonSchema';
  readonly schema: Schema;
}

export function isSchemaNode(node: DocumentNode): node is SchemaNode {
  return node.operator === '$jsonSchema';
}

export const $jsonSchema = defineTopLevelOperator({
  name: '$jsonSchema',
  parse: ({ operand, parser }): SchemaNode => {
    uassert(
      parser.features.jsonSchema !== false,
      'QueryFeatureNotAllowed',
      '$jsonSchema is not allowed in this context',
    );
    uassert(operand.type === BsonType.object, 'TypeMismatch', '$jsonSchema must be an object');
    return schemaNode(operand);
  },
});

function schemaNode(operand: RawValue): SchemaNode {
  const schema = parseSchema(operand.asDocument());
  return {
    kind: 'document',
    operator: '$jsonSchema',
    operand,
    schema,
    test: (bytes, start) => schema.test(valueOfDocumentAt(bytes, start)),
  };
}
