/**
 * listCollections: the collections of a database, as a cursor.
 * Source: MongoDB's manual, "listCollections"; the driver specification of enumerating collections.
 */
import { binaryValue, DocumentBuilder, EMPTY_DOCUMENT, getField } from '../../../bson/index.ts';
import { compileFilter } from '../../../query/index.ts';
import type { CollectionDescription } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import { DocumentListProducer, firstBatch } from '../../cursors/first-batch.ts';
import { queryContext } from '../crud/query-context.ts';
import { cursorBatchSize } from './cursor-argument.ts';

const UUID_SUBTYPE = 4;

export const listCollections = defineCommand({
  name: 'listCollections',
  help: 'Lists the collections of a database.',
  kind: 'admin',
  access: { action: 'listCollections', on: 'database' },
  route: 'primaryShard',
  apiVersions: ['1'],
  parse: (body) => {
    // Who may see less than everything is a matter of access control, which is off.
    body.safeBoolean('authorizedCollections', false);
    return {
      database: body.database,
      filter: body.document('filter', EMPTY_DOCUMENT),
      nameOnly: body.safeBoolean('nameOnly', false),
      batchSize: cursorBatchSize(body),
    };
  },
  execute: ({ database, filter, nameOnly, batchSize }, op) => {
    const matching = compileFilter(filter, queryContext(op, { withoutScripts: true }), {
      javascript: false,
    });
    const documents = op
      .view()
      .collections(database)
      .map((collection) => describe(collection, nameOnly))
      .filter((document) => matching.matches(document));
    return firstBatch(op, {
      namespace: `${database}.$cmd.listCollections`,
      producer: new DocumentListProducer(documents),
      batchSize: batchSize ?? Infinity,
    });
  },
  reply: (body) => body,
});

function describe(collection: CollectionDescription, nameOnly: boolean): Buffer {
  const out = new DocumentBuilder();
  out.appendString('name', splitNamespace(collection.namespace).collection);
  out.appendString('type', collection.kind);
  if (nameOnly) return out.finish();
  out.appendDocument('options', collection.options);
  out.beginDocument('info').appendBoolean('readOnly', collection.kind === 'view');
  if (collection.kind === 'collection') {
    out.append('uuid', binaryValue(Buffer.from(collection.uuid, 'hex'), UUID_SUBTYPE));
  }
  out.end();
  const [idIndex] = collection.indexes;
  const isClustered = getField(collection.options, 'clusteredIndex') !== undefined;
  if (idIndex !== undefined && !isClustered) out.appendDocument('idIndex', idIndex.spec);
  return out.finish();
}
