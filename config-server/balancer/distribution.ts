/**
 * How a collection lies on the shards: chunks and zones from the metadata, sizes as the shards say them.
 */
import {
  BsonType,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  type RawValue,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import {
  shardFromDocument,
  uuidValue,
  type CollectionRouting,
  type OperationContext,
  type ShardEntry,
  type ShardKeyPattern,
} from '../../server/cluster.ts';
import type { ConfigServer } from '../config-server.ts';
import type { Distribution, ShardLoad, ZoneRange } from './policy.ts';

/** Of the shards that answered. Besides, whether one of them has documents of ranges that have gone: then sizes say little. */
export interface MeasuredDistribution extends Distribution {
  readonly isSettled: boolean;
  /** By shard what it answered instead of a size. */
  readonly failures: ReadonlyMap<string, unknown>;
}

const ASK_TIMEOUT_MS = 10_000;

/** @param isSilent shards that are not asked, and not part of the answer */
export async function measureCollection(
  server: ConfigServer,
  op: OperationContext,
  { entry, chunks }: CollectionRouting,
  {
    rangeBytes,
    isSilent,
  }: { readonly rangeBytes: number; readonly isSilent?: ReadonlySet<string> },
): Promise<MeasuredDistribution> {
  const { catalog } = server;
  const shards: ShardLoad[] = [];
  const failures = new Map<string, unknown>();
  let isSettled = true;
  const measure = async (document: Buffer): Promise<void> => {
    const shard = shardFromDocument(document);
    if (isSilent?.has(shard.name) === true) return;
    try {
      const size = await sizeOn(server, op, shard, entry);
      shards.push({ ...shard, zones: zonesOf(document), dataBytes: size.dataBytes });
      isSettled &&= size.isSettled;
    } catch (error) {
      if (op.reason !== undefined) throw error;
      failures.set(shard.name, error);
    }
  };
  await Promise.all((await catalog.read(op, 'config.shards')).map(measure));
  shards.sort((a, b) => (a.name < b.name ? -1 : 1));
  const zones = await zoneRanges(server, op, entry);
  return { shards, chunks, zones, rangeBytes, isSettled, failures };
}

/** The ranges of a collection's zones, in order. */
export async function zoneRanges(
  { catalog }: ConfigServer,
  op: OperationContext,
  { namespace, pattern }: { readonly namespace: string; readonly pattern: ShardKeyPattern },
): Promise<ZoneRange[]> {
  const filter = documentOf({ ns: namespace });
  const tags = await catalog.read(op, 'config.tags', filter, documentOf({ min: 1 }));
  const ranges = tags.map((tag) => zoneRange(tag, pattern));
  return ranges.sort((a, b) => (a.minText < b.minText ? -1 : 1));
}

/** The zones of a shard's document. */
export function zonesOf(shard: Buffer): string[] {
  const zones: string[] = [];
  const cursor = new FieldCursor(getField(shard, 'tags')?.asDocument() ?? EMPTY_DOCUMENT);
  while (cursor.next()) zones.push(cursor.value().asString());
  return zones;
}

function zoneRange(tag: Buffer, pattern: ShardKeyPattern): ZoneRange {
  const min = required(tag, 'min').asDocument();
  const max = required(tag, 'max').asDocument();
  return {
    zone: required(tag, 'tag').asString(),
    min,
    max,
    minText: pattern.boundText(min),
    maxText: pattern.boundText(max),
  };
}

async function sizeOn(
  server: ConfigServer,
  op: OperationContext,
  shard: ShardEntry,
  { namespace, uuid }: { readonly namespace: string; readonly uuid: string },
): Promise<{ readonly dataBytes: number; readonly isSettled: boolean }> {
  const reply = await server.askShard(
    op,
    shard,
    { _shardsvrGetStatsForBalancing: namespace, uuid: uuidValue(uuid) },
    { timeoutMs: ASK_TIMEOUT_MS },
  );
  return {
    dataBytes: required(reply, 'collSize').asNumber(),
    isSettled: getField(reply, 'pendingRangeDeletions')?.isTruthy() !== true,
  };
}

function required(document: Buffer, name: string): RawValue {
  const value = getField(document, name);
  tassert(
    value !== undefined && value.type !== BsonType.null,
    'balancer: a document lacks a field',
  );
  return value;
}
