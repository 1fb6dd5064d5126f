/**
 * dbHash: one MD5 over the documents of each collection in order of their `_id`, and one over all of these: whether two
 * servers hold the same data.
 * Source: MongoDB's manual, "dbHash".
 */
import { createHash } from 'node:crypto';
import {
  BsonType,
  binaryValue,
  documentOf,
  EMPTY_DOCUMENT,
  getField,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { planQuery } from '../../../query/index.ts';
import type { CollectionDescription } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyValue } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { queryContext } from '../crud/query-context.ts';

const UUID_SUBTYPE = 4;
const BY_ID = documentOf({ _id: 1 });

export const dbHash = defineCommand({
  name: 'dbHash',
  aliases: ['dbhash'],
  help: 'Hashes the documents of a database, collection by collection.',
  kind: 'admin',
  takesReadConcern: true,
  access: { action: 'dbHash', on: 'database' },
  route: 'never',
  lenient: true,
  parse: (body) => ({
    database: body.database,
    wanted: body.array('collections', undefined)?.map((name) => {
      if (name.type === BsonType.string) return name.asString();
      throw new CommandError('CommandFailed', 'collections entries have to be strings');
    }),
  }),
  async execute({ database, wanted }, op) {
    const hashes = new Map<CollectionDescription, string>();
    for (const collection of op.view().collections(database)) {
      if (collection.kind !== 'collection' || !isHashed(nameOf(collection), wanted)) continue;
      hashes.set(collection, await hashOf(collection, op));
    }
    return hashes;
  },
  reply: (hashes, { service, startedMonotonicMs }) => {
    const collections: Record<string, ReplyValue> = {};
    const uuids: Record<string, ReplyValue> = {};
    const all = createHash('md5');
    for (const [collection, hash] of hashes) {
      collections[nameOf(collection)] = hash;
      uuids[nameOf(collection)] = binaryValue(Buffer.from(collection.uuid, 'hex'), UUID_SUBTYPE);
      all.update(hash);
    }
    const capped = [...hashes.keys()].filter(isCapped).map(nameOf);
    const timeMillis = BigInt(Math.round(service.clock.monotonicMs() - startedMonotonicMs));
    const host = `${service.identity.host}:${service.identity.port}`;
    return { host, collections, capped, uuids, md5: all.digest('hex'), timeMillis };
  },
});

/** What belongs to one server only is left out, as MongoDB leaves out what is not replicated. */
function isHashed(name: string, wanted: readonly string[] | undefined): boolean {
  if (name === 'system.profile' || name.startsWith('tmp.mr.')) return false;
  return wanted === undefined || wanted.length === 0 || wanted.includes(name);
}

function nameOf(collection: CollectionDescription): string {
  return splitNamespace(collection.namespace).collection;
}

function isCapped(collection: CollectionDescription): boolean {
  return getField(collection.options, 'capped')?.isTruthy() === true;
}

/** The view stays the same from the first collection to the last: the hash is one of a moment. */
async function hashOf(collection: CollectionDescription, op: OperationContext): Promise<string> {
  const view = op.view();
  const { namespace } = collection;
  const hasIdIndex = collection.indexes.some(({ name }) => name === '_id_');
  const request = hasIdIndex
    ? { namespace, filter: EMPTY_DOCUMENT, hint: '_id_', sort: BY_ID }
    : { namespace, filter: EMPTY_DOCUMENT };
  const executor = planQuery(view, collection, request, queryContext(op)).open(view, op);
  const hash = createHash('md5');
  try {
    for (;;) {
      const document = await executor.next();
      if (document === undefined) return hash.digest('hex');
      hash.update(document);
    }
  } finally {
    executor.close();
  }
}
