/**
 * Zones: which shards are in one, and which ranges of a collection belong into it.
 * Source: MongoDB's manual, "addShardToZone", "removeShardFromZone", "updateZoneKeyRange".
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  documentOf,
  EMPTY_DOCUMENT,
  FieldCursor,
  getField,
  inspect,
  setField,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type CommandBody } from '../../server/index.ts';
import {
  defineCommand,
  ShardKeyPattern,
  type Command,
  type OperationContext,
} from '../../server/cluster.ts';
import { zonesOf } from '../balancer/distribution.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn, textIn } from './arguments.ts';

interface ZoneOfShard {
  readonly shard: string;
  readonly zone: string;
}

interface ZoneRange {
  readonly namespace: string;
  readonly min: Buffer;
  readonly max: Buffer;
  /** undefined takes the range out of its zone. */
  readonly zone: string | undefined;
}

export function addShardToZone(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrAddShardToZone', 'Puts a shard into a zone.', 'enableSharding'),
    parse: (body): ZoneOfShard => ({
      shard: textIn(body),
      zone: body.string('zone'),
    }),
    execute: ({ shard, zone }, op) =>
      changeZones(server(), op, shard, (zones) =>
        zones.includes(zone) ? zones : [...zones, zone],
      ),
    reply: () => ({}),
  });
}

export function removeShardFromZone(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrRemoveShardFromZone',
      'Takes a shard out of a zone.',
      'enableSharding',
    ),
    parse: (body): ZoneOfShard => ({
      shard: textIn(body),
      zone: body.string('zone'),
    }),
    execute: async ({ shard, zone }, op) => {
      await checkMayLeave(server(), op, { shard, zone });
      await changeZones(server(), op, shard, (zones) => zones.filter((each) => each !== zone));
    },
    reply: () => ({}),
  });
}

export function updateZoneKeyRange(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrUpdateZoneKeyRange',
      'Puts a range of keys into a zone, or out of it.',
      'enableSharding',
    ),
    parse: parseRange,
    execute: (range, op) =>
      server().locks.run(range.namespace, () => changeRange(server(), op, range)),
    reply: () => ({}),
  });
}

function parseRange(body: CommandBody): ZoneRange {
  const zone = body.value('zone');
  if (zone === undefined || (zone.type !== BsonType.string && zone.type !== BsonType.null)) {
    throw new CommandError('TypeMismatch', '"zone" had the wrong type. Expected string or null');
  }
  return {
    namespace: namespaceIn(body),
    min: body.document('min'),
    max: body.document('max'),
    zone: zone.type === BsonType.string ? zone.asString() : undefined,
  };
}

function changeZones(
  server: ConfigServer,
  op: OperationContext,
  name: string,
  change: (zones: readonly string[]) => readonly string[],
): Promise<void> {
  return server.locks.run('', async () => {
    const { catalog } = server;
    const shard = await catalog.shard(op, name);
    const key = { set: 'shards', id: stringValue(shard.name) };
    const before = await catalog.topology.get(key);
    if (before === undefined) throw new CommandError('ShardNotFound', `Shard ${name} not found`);
    const tags = new ArrayBuilder();
    for (const zone of change(zonesOf(before))) tags.push(stringValue(zone));
    const value = setField(before, 'tags', arrayValue(tags.finish()));
    const puts = [{ key, value }];
    if (await catalog.change(op, { expected: [{ key, value: before }], puts })) return;
    throw new CommandError('ConflictingOperationInProgress', `Shard ${name} changed meanwhile`);
  });
}

/** The last shard of a zone stays in it as long as ranges belong there. */
async function checkMayLeave(
  { catalog }: ConfigServer,
  op: OperationContext,
  { shard, zone }: ZoneOfShard,
): Promise<void> {
  const name = (await catalog.shard(op, shard)).name;
  const documents = await catalog.read(op, 'config.shards', documentOf({ tags: zone }));
  const others = documents.filter((document) => getField(document, '_id')?.asString() !== name);
  if (others.length > 0 || documents.length === 0) return;
  const [range] = await catalog.read(op, 'config.tags', documentOf({ tag: zone }));
  if (range === undefined) return;
  throw new CommandError(
    'ZoneStillInUse',
    "cannot remove a shard from zone since there is a range of chunks which are in the zone and it's the only shard in it",
  );
}

async function changeRange(
  { catalog }: ConfigServer,
  op: OperationContext,
  { namespace, min, max, zone }: ZoneRange,
): Promise<void> {
  const routing = await catalog.tryRouting(op, namespace);
  const pattern = routing?.entry.pattern ?? patternOfBounds(min);
  const ends = [wholeBound(pattern, min), wholeBound(pattern, max)] as const;
  const [from, to] = [pattern.boundText(ends[0]), pattern.boundText(ends[1])];
  if (from >= to) {
    throw new CommandError(
      'FailedToParse',
      `min: ${inspect(min)} should be less than max: ${inspect(max)}`,
    );
  }
  const known = await catalog.read(op, 'config.tags', documentOf({ ns: namespace }));
  const same = known.find((tag) => boundOf(tag, 'min').equals(ends[0]));
  const isSame = same !== undefined && boundOf(same, 'max').equals(ends[1]);
  if (zone === undefined) {
    const id = same === undefined || !isSame ? undefined : getField(same, '_id');
    if (id === undefined) return;
    await catalog.change(op, {
      expected: [],
      puts: [{ key: { set: 'tags', id }, value: undefined }],
    });
    return;
  }
  const shards = await catalog.read(op, 'config.shards', documentOf({ tags: zone }));
  if (shards.length === 0) {
    throw new CommandError('ZoneNotFound', `zone ${zone} does not exist`);
  }
  for (const tag of known) {
    if (isSame && tag === same) continue;
    if (textAt(pattern, tag, 'min') >= to || textAt(pattern, tag, 'max') <= from) continue;
    throw new CommandError(
      'RangeOverlapConflict',
      `Zone range: [${inspect(min)}, ${inspect(max)}) on ${namespace} is overlapping with existing zone: ${inspect(tag)}`,
    );
  }
  const id = (same === undefined ? undefined : getField(same, '_id')) ?? catalog.newObjectId();
  const value = documentOf({ _id: id, ns: namespace, min: ends[0], max: ends[1], tag: zone });
  await catalog.change(op, { expected: [], puts: [{ key: { set: 'tags', id }, value }] });
}

/** Before the collection is sharded the bounds say what its key will be. */
function patternOfBounds(bound: Buffer): ShardKeyPattern {
  const fields: Record<string, number> = {};
  const cursor = new FieldCursor(bound);
  while (cursor.next()) fields[cursor.name] = 1;
  return ShardKeyPattern.parse(documentOf(fields));
}

/** A range may be given by the first fields of the key. */
function wholeBound(pattern: ShardKeyPattern, bound: Buffer): Buffer {
  const values = [];
  const cursor = new FieldCursor(bound);
  while (cursor.next()) {
    if (cursor.name !== pattern.fields[values.length]?.path.text) {
      throw new CommandError(
        'ShardKeyNotFound',
        `${inspect(bound)} is not a prefix of the shard key ${inspect(pattern.pattern)}`,
      );
    }
    values.push(cursor.value());
  }
  return pattern.boundOf(values);
}

function boundOf(tag: Buffer, name: 'min' | 'max'): Buffer {
  return getField(tag, name)?.asDocument() ?? EMPTY_DOCUMENT;
}

function textAt(pattern: ShardKeyPattern, tag: Buffer, name: 'min' | 'max'): string {
  return pattern.boundText(wholeBound(pattern, boundOf(tag, name)));
}
