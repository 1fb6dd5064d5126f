/**
 * Commands about whole databases, over all shards.
 */
import { DocumentBuilder, documentOf, fieldsOf, getField, int64Value } from '../../bson/index.ts';
import { EMPTY_DOCUMENT } from '../../bson/index.ts';
import { compileFilter } from '../../query/index.ts';
import { queryContext, type ReplyBody } from '../../server/cluster.ts';
import { shardRequest } from './shard-request.ts';
import { askCluster, type ShardAnswer } from './ask-shards.ts';
import { sumOf } from './collections.ts';
import type { Call } from './routed-command.ts';
import { numberIn } from '../writes/write-outcome.ts';

const BYTES_PER_MEGABYTE = 1024 * 1024;
/** Each server has its own, which the router does not show. */
const LOCAL = 'local';
/** The config server's alone. */
const CONFIG_DATABASES: ReadonlySet<string> = new Set(['admin', 'config']);

export async function runListDatabases(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const nameOnly = body.safeBoolean('nameOnly', false);
  const filter = body.document('filter', EMPTY_DOCUMENT);
  const matching = compileFilter(filter, queryContext(op, { withoutScripts: true }), {
    javascript: false,
  });
  // Shards leave nothing out: what the filter asks may hold for the sum only.
  const set = { filter: undefined };
  const shardAnswers = await askCluster(call, { set, isRepeatable: true });
  const { config } = router.shards;
  const own = await config.command(shardRequest(op, body.bytes, { set }), op);
  const sizes = new Map<string, Map<string, number>>();
  const add = (shard: string, reply: Buffer, wanted: (name: string) => boolean): void => {
    const list = getField(reply, 'databases');
    if (list === undefined) return;
    for (const [, entry] of fieldsOf(list.asDocument())) {
      const database = entry.asDocument();
      const name = getField(database, 'name')?.asString() ?? '';
      if (!wanted(name)) continue;
      const parts = sizes.get(name) ?? new Map<string, number>();
      parts.set(shard, numberIn(database, 'sizeOnDisk'));
      sizes.set(name, parts);
    }
  };
  const isOfShards = (name: string): boolean => name !== LOCAL && !CONFIG_DATABASES.has(name);
  for (const { shard, reply } of shardAnswers) add(shard.name, reply, isOfShards);
  add(config.name, own, (name) => CONFIG_DATABASES.has(name));
  return listing(sizes, nameOnly, (document) => matching.matches(document));
}

function listing(
  sizes: ReadonlyMap<string, ReadonlyMap<string, number>>,
  nameOnly: boolean,
  matches: (document: Buffer) => boolean,
): ReplyBody {
  let totalBytes = 0;
  const databases: Buffer[] = [];
  for (const name of [...sizes.keys()].sort()) {
    const parts = sizes.get(name) ?? new Map<string, number>();
    const bytes = [...parts.values()].reduce((sum, each) => sum + each, 0);
    const shards = new DocumentBuilder();
    for (const [shard, size] of parts) shards.append(shard, int64Value(BigInt(size)));
    const document = nameOnly
      ? documentOf({ name })
      : documentOf({
          name,
          sizeOnDisk: int64Value(BigInt(bytes)),
          empty: false,
          shards: shards.finish(),
        });
    if (!matches(document)) continue;
    totalBytes += bytes;
    databases.push(document);
  }
  if (nameOnly) return { databases };
  return {
    databases,
    totalSize: BigInt(totalBytes),
    totalSizeMb: BigInt(Math.floor(totalBytes / BYTES_PER_MEGABYTE)),
  };
}

const SUMMED = [
  'collections',
  'views',
  'objects',
  'dataSize',
  'storageSize',
  'freeStorageSize',
  'indexes',
  'indexSize',
  'indexFreeStorageSize',
  'totalSize',
  'totalFreeStorageSize',
  'fileSize',
] as const;

export async function runDbStats(call: Call): Promise<ReplyBody> {
  const answers = await askCluster(call, { isRepeatable: true });
  const [first] = answers;
  const objects = sumOf(answers, 'objects');
  return (out: DocumentBuilder): void => {
    out.beginDocument('raw');
    for (const { shard, reply } of answers) out.appendDocument(shard.host, reply);
    out.end();
    out.appendString('db', call.body.database);
    for (const name of SUMMED) {
      if (first === undefined || getField(first.reply, name) === undefined) continue;
      out.appendInteger(name, sumOf(answers, name));
      if (name === 'objects') {
        out.appendDouble('avgObjSize', objects === 0 ? 0 : sumOf(answers, 'dataSize') / objects);
      }
    }
    out.appendInteger(
      'scaleFactor',
      first === undefined ? 1 : numberIn(first.reply, 'scaleFactor'),
    );
  };
}

/** What each shard does for itself: the answers stand side by side. */
export async function runOnCluster(call: Call): Promise<ReplyBody> {
  const answers = await askCluster(call);
  return rawAnswers(answers);
}

function rawAnswers(answers: readonly ShardAnswer[]): ReplyBody {
  return (out: DocumentBuilder): void => {
    out.beginDocument('raw');
    for (const { shard, reply } of answers) out.appendDocument(shard.host, reply);
    out.end();
    const [first] = answers;
    if (first === undefined) return;
    for (const [name, value] of fieldsOf(first.reply)) if (name !== 'ok') out.append(name, value);
  };
}
