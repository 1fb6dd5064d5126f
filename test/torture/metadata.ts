/**
 * A check of config.chunks that shares nothing with the code which writes them: ranges without gap and overlap, versions that are
 * unique and only grow.
 */
import { Binary, Long, MaxKey, MinKey, Timestamp, type Document, type MongoClient } from 'mongodb';
import type { CollectionName } from './documents.ts';

/** What was seen before: the newest version of each chunk that had a beginning. */
export class ChunkHistory {
  highest = 0n;
  readonly byMin = new Map<string, { readonly version: bigint; readonly shard: string }>();
}

/** The chunks in the order of their keys, read at one moment. */
export async function readChunks(
  client: MongoClient,
  name: CollectionName,
): Promise<readonly Document[]> {
  const config = client.db('config');
  const collection = await config
    .collection<{ _id: string; uuid: Binary }>('collections')
    .findOne({ _id: `torture.${name}` });
  if (collection === null) throw new Error(`torture.${name} is no sharded collection`);
  // One batch is one moment.
  const chunks = await config
    .collection('chunks')
    .find({ uuid: collection.uuid }, { batchSize: 10_000, promoteLongs: false })
    .toArray();
  return chunks.toSorted((a, b) => compareBounds(a['min'], b['min']));
}

/** @returns what must not be, as sentences */
export function checkChunks(chunks: readonly Document[], history: ChunkHistory): string[] {
  const wrong: string[] = [];
  const versions = new Map<bigint, string>();
  chunks.forEach((chunk, index) => {
    const { min, max } = chunk;
    const next = chunks[index + 1];
    if (index === 0 && !isAll(min, MinKey)) wrong.push(`the first chunk begins at ${text(min)}`);
    if (next === undefined && !isAll(max, MaxKey))
      wrong.push(`the last chunk ends at ${text(max)}`);
    if (next !== undefined && compareBounds(max, next['min']) !== 0) {
      wrong.push(`a chunk ends at ${text(max)}, the next one begins at ${text(next['min'])}`);
    }
    if (compareBounds(min, max) >= 0) wrong.push(`a chunk from ${text(min)} to ${text(max)}`);
    const version = versionOf(chunk);
    const other = versions.get(version);
    if (other !== undefined) wrong.push(`chunks at ${other} and ${text(min)} have one version`);
    versions.set(version, text(min));
    wrong.push(...checkOwner(chunk, version, history));
  });
  const highest = [...versions.keys()].reduce((a, b) => (a > b ? a : b), 0n);
  // Several movers watch: one that read earlier may come later, but none may see less than what it began after.
  if (highest > history.highest) history.highest = highest;
  return wrong;
}

/** A chunk that has changed hands has a higher version than before; one of an old version is as it was then. */
function checkOwner(chunk: Document, version: bigint, history: ChunkHistory): string[] {
  const key = text(chunk['min']);
  const shard = String(chunk['shard']);
  const seen = history.byMin.get(key);
  if (seen === undefined || version > seen.version) history.byMin.set(key, { version, shard });
  const [latest] = chunk['history'] ?? [];
  const wrong: string[] = [];
  if (latest?.shard !== shard) wrong.push(`the chunk at ${key} on ${shard} has another history`);
  if (seen?.version === version && seen.shard !== shard) {
    wrong.push(`the chunk at ${key} went from ${seen.shard} to ${shard} without a new version`);
  }
  return wrong;
}

function versionOf({ lastmod }: Document): bigint {
  if (lastmod instanceof Timestamp) return lastmod.toBigInt();
  throw new Error('a chunk without version');
}

function isAll(bound: Document, kind: typeof MinKey | typeof MaxKey): boolean {
  return Object.values(bound).every((value) => value instanceof kind);
}

/** By the order of BSON, as far as these collections need it. */
export function compareBounds(a: Document, b: Document): number {
  const others = Object.values(b);
  for (const [index, value] of Object.values(a).entries()) {
    const order = compareValues(value, others[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(a: unknown, b: unknown): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  return left < right ? -1 : Number(left > right);
}

/** Numbers of int64 do not fit doubles. */
function rankOf(value: unknown): bigint {
  if (value instanceof MinKey) return -(1n << 70n);
  if (value instanceof MaxKey) return 1n << 70n;
  if (value instanceof Long) return value.toBigInt();
  return BigInt(Number(value));
}

function text(bound: Document): string {
  const shown = Object.values(bound).map((value) => {
    if (value instanceof MinKey) return 'MinKey';
    return value instanceof MaxKey ? 'MaxKey' : String(value);
  });
  return shown.join(', ');
}
