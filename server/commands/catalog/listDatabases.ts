/**
 * listDatabases: the databases that have at least one collection, with their sizes.
 * Source: MongoDB's manual, "listDatabases".
 */
import { documentOf, EMPTY_DOCUMENT, int64Value } from '../../../bson/index.ts';
import { compileFilter } from '../../../query/index.ts';
import type { ReadView, StorageEngine } from '../../../storage/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { queryContext } from '../crud/query-context.ts';
import { collectionSizes } from './collection-sizes.ts';

const BYTES_PER_MEGABYTE = 1024 * 1024;

export const listDatabases = defineCommand({
  name: 'listDatabases',
  help: 'Lists the databases of this server.',
  kind: 'admin',
  adminOnly: true,
  access: { action: 'listDatabases', on: 'cluster' },
  route: 'allShards',
  apiVersions: ['1'],
  parse: (body) => {
    // Who may see less than everything is a matter of access control, which is off.
    body.safeBoolean('authorizedDatabases', false);
    return {
      filter: body.document('filter', EMPTY_DOCUMENT),
      nameOnly: body.safeBoolean('nameOnly', false),
    };
  },
  execute: ({ filter, nameOnly }, op) => {
    const matching = compileFilter(filter, queryContext(op, { withoutScripts: true }), {
      javascript: false,
    });
    const view = op.view();
    let totalBytes = 0;
    const databases: Buffer[] = [];
    for (const name of view.databases()) {
      const bytes = nameOnly ? 0 : databaseBytes(op.engine, view, name);
      const document = nameOnly
        ? documentOf({ name })
        : documentOf({ name, sizeOnDisk: int64Value(BigInt(bytes)), empty: false });
      if (!matching.matches(document)) continue;
      totalBytes += bytes;
      databases.push(document);
    }
    return { databases, nameOnly, totalBytes };
  },
  reply: ({ databases, nameOnly, totalBytes }) =>
    nameOnly
      ? { databases }
      : {
          databases,
          totalSize: BigInt(totalBytes),
          totalSizeMb: BigInt(Math.floor(totalBytes / BYTES_PER_MEGABYTE)),
        },
});

function databaseBytes(engine: StorageEngine, view: ReadView, database: string): number {
  let bytes = 0;
  for (const collection of view.collections(database)) {
    const sizes = collectionSizes(engine, view, collection);
    bytes += sizes.storageBytes + sizes.indexBytes;
  }
  return bytes;
}
