/**
 * Splits a pipeline into what each shard does with its own documents and what the router does with what they give.
 *
 * Promises: the router's part over all shards' documents gives what the whole pipeline gives over all documents. As much as possible is
 * the shards': stages of one document each, then the first that needs to see several, in part (a sort, a limit, a group).
 */
import {
  BsonType,
  documentOf,
  documentValue,
  fieldsOf,
  firstFieldName,
  getField,
  DocumentBuilder,
  int32Value,
  int64Value,
  isEmpty,
  type RawValue,
  stringValue,
  TRUE,
} from '../../bson/index.ts';
import { isMergeable } from '../../query/index.ts';
import { carrying, metadataAskedBy } from './carried-metadata.ts';

export interface SplitPipeline {
  readonly shardPart: readonly Buffer[];
  /** The order in which the shards' documents come, and in which they are merged; undefined: any. */
  readonly order: Buffer | undefined;
  readonly mergePart: readonly Buffer[];
  /** What the shards' documents bring along for the router's part is to be unpacked. */
  readonly carriesMetadata: boolean;
}

type Parts = Omit<SplitPipeline, 'carriesMetadata'>;

/** One document in, and what comes out depends on nothing else. */
const PER_DOCUMENT: ReadonlySet<string> = new Set([
  '$match',
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$unwind',
  '$replaceRoot',
  '$replaceWith',
  '$redact',
]);

/** What each shard has to tell of itself: the answers stand side by side. */
const PER_SHARD: ReadonlySet<string> = new Set([
  '$collStats',
  '$indexStats',
  '$listCatalog',
  '$listSearchIndexes',
  '$planCacheStats',
]);

/** It stands first, and reads no documents. */
export function tellsOfShard(stage: Buffer | undefined): boolean {
  return stage !== undefined && PER_SHARD.has(nameOf(stage));
}

/** By which a sample of all is taken: no user's field has this name. */
const RANDOM_FIELD = '__random_of_sample';

export function splitPipeline(pipeline: readonly Buffer[]): SplitPipeline {
  const parts = partsOf(pipeline);
  const { shardPart, mergePart } = parts;
  const last = shardPart.at(-1);
  // Groups of a shard are no documents.
  const isGrouped = last !== undefined && nameOf(last) === '$group';
  const isSorted = shardPart.some((stage) => nameOf(stage) === '$sort');
  const names = isGrouped ? [] : metadataAskedBy(mergePart, isSorted);
  if (names.length === 0) return { ...parts, carriesMetadata: false };
  return { ...parts, shardPart: [...shardPart, carrying(names)], carriesMetadata: true };
}

function partsOf(pipeline: readonly Buffer[]): Parts {
  const stages = pipeline.flatMap(asSimplerStages);
  const shardPart: Buffer[] = [];
  for (const [at, stage] of stages.entries()) {
    const name = nameOf(stage);
    const isFirst = at === 0;
    if (PER_DOCUMENT.has(name) || (isFirst && PER_SHARD.has(name))) {
      shardPart.push(stage);
      continue;
    }
    if (isFirst && name === '$geoNear') {
      return afterSort([stage], distanceOrder(stage), stages.slice(1));
    }
    if (name === '$sort') {
      const pattern = argumentOf(stage);
      const isPlain =
        pattern?.type === BsonType.object &&
        Array.from(fieldsOf(pattern.asDocument())).every(([, value]) => value.isNumber);
      if (!isPlain) {
        const limit = limitOf(stages.slice(at + 1));
        const first = limit.length === 0 ? [] : [stage, ...limit];
        return {
          shardPart: [...shardPart, ...first],
          order: undefined,
          mergePart: stages.slice(at),
        };
      }
      return afterSort([...shardPart, stage], pattern.asDocument(), stages.slice(at + 1));
    }
    return whole(shardPart, stage, stages.slice(at + 1));
  }
  return { shardPart, order: undefined, mergePart: [] };
}

/** The first stage that needs to see documents of several shards. */
function whole(shardPart: readonly Buffer[], stage: Buffer, rest: readonly Buffer[]): Parts {
  const mergePart = [stage, ...rest];
  switch (nameOf(stage)) {
    case '$limit':
    case '$skip':
      return { shardPart: [...shardPart, ...limitOf(mergePart)], order: undefined, mergePart };
    case '$sample':
      return sampled(shardPart, stage, rest);
    case '$group':
      return grouped(shardPart, stage, rest);
    default:
      return { shardPart, order: undefined, mergePart };
  }
}

/** What is behind a sort is the router's; a limit that follows is everybody's. */
function afterSort(
  shardPart: readonly Buffer[],
  order: Buffer,
  mergePart: readonly Buffer[],
): Parts {
  return { shardPart: [...shardPart, ...limitOf(mergePart)], order, mergePart };
}

/** Of the documents that a shard gives, no more than the first ones can be wanted. */
function limitOf(stages: readonly Buffer[]): readonly Buffer[] {
  let skipped = 0n;
  for (const stage of stages) {
    const name = nameOf(stage);
    const count = wholeNumber(argumentOf(stage));
    if ((name !== '$skip' && name !== '$limit') || count === undefined) return [];
    if (name === '$limit') {
      const limit = skipped + count;
      return limit <= LARGEST ? [documentOf({ $limit: int64Value(limit) })] : [];
    }
    skipped += count;
  }
  return [];
}

const LARGEST = 2n ** 63n - 1n;

function wholeNumber(value: RawValue | undefined): bigint | undefined {
  if (value === undefined || !value.isNumber) return undefined;
  const number = value.asNumber();
  return Number.isSafeInteger(number) && number >= 0 ? BigInt(number) : undefined;
}

/** Each shard gives its share with random numbers, and those with the smallest ones are the sample. */
function sampled(shardPart: readonly Buffer[], stage: Buffer, rest: readonly Buffer[]): Parts {
  const argument = argumentOf(stage);
  const size =
    argument?.type === BsonType.object
      ? wholeNumber(getField(argument.asDocument(), 'size'))
      : undefined;
  if (size === undefined || size === 0n) {
    return { shardPart, order: undefined, mergePart: [stage, ...rest] };
  }
  const order = documentOf({ [RANDOM_FIELD]: int32Value(1) });
  const random = documentOf({ [RANDOM_FIELD]: documentOf({ $rand: documentOf({}) }) });
  const limit = documentOf({ $limit: int64Value(size) });
  return {
    shardPart: [
      ...shardPart,
      documentOf({ $addFields: random }),
      documentOf({ $sort: order }),
      limit,
    ],
    order,
    mergePart: [limit, documentOf({ $unset: stringValue(RANDOM_FIELD) }), ...rest],
  };
}

/** Groups of each shard, which the router makes one, where all accumulators can. */
function grouped(shardPart: readonly Buffer[], stage: Buffer, rest: readonly Buffer[]): Parts {
  const argument = argumentOf(stage);
  if (argument?.type !== BsonType.object || !mergesInParts(argument.asDocument())) {
    return { shardPart, order: undefined, mergePart: [stage, ...rest] };
  }
  const withRole = (role: string): Buffer => {
    const group = new DocumentBuilder().appendElementsOf(argument.asDocument()).append(role, TRUE);
    return documentOf({ $group: documentValue(group.finish()) });
  };
  return {
    shardPart: [...shardPart, withRole('$willBeMerged')],
    order: undefined,
    mergePart: [withRole('$doingMerge'), ...rest],
  };
}

function mergesInParts(group: Buffer): boolean {
  for (const [name, value] of fieldsOf(group)) {
    if (name === '_id') continue;
    if (value.type !== BsonType.object) return false;
    const operator = firstFieldName(value.asDocument());
    if (operator === undefined || !isMergeable(operator)) return false;
  }
  return getField(group, '_id') !== undefined;
}

function distanceOrder(stage: Buffer): Buffer {
  const argument = argumentOf(stage);
  const field =
    argument?.type === BsonType.object
      ? getField(argument.asDocument(), 'distanceField')
      : undefined;
  const path = field?.typeName === 'string' ? field.asString() : 'distance';
  return documentOf({ [path]: int32Value(1) });
}

/** Stages that stand for others, where these can be split. */
function asSimplerStages(stage: Buffer): readonly Buffer[] {
  const argument = argumentOf(stage);
  switch (nameOf(stage)) {
    case '$count': {
      if (argument?.typeName !== 'string' || !isPlainName(argument.asString())) return [stage];
      const sum = documentOf({ $sum: int32Value(1) });
      const name = argument.asString();
      return [
        documentOf({
          $group: new DocumentBuilder().appendNull('_id').appendDocument(name, sum).finish(),
        }),
        documentOf({ $project: documentOf({ _id: int32Value(0) }) }),
      ];
    }
    case '$sortByCount': {
      const isExpression =
        argument?.type === BsonType.object
          ? firstFieldName(argument.asDocument())?.startsWith('$') === true
          : argument?.typeName === 'string' && argument.asString().startsWith('$');
      if (argument === undefined || !isExpression) return [stage];
      const sum = documentOf({ $sum: int32Value(1) });
      const group = new DocumentBuilder().append('_id', argument).appendDocument('count', sum);
      return [
        documentOf({ $group: group.finish() }),
        documentOf({ $sort: documentOf({ count: int32Value(-1) }) }),
      ];
    }
    default:
      return [stage];
  }
}

/** One that $count takes: others are refused by it in its own words. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '_id' && !name.startsWith('$') && !/[.\0]/.test(name);
}

export function nameOf(stage: Buffer): string {
  return isEmpty(stage) ? '' : (firstFieldName(stage) ?? '');
}

export function argumentOf(stage: Buffer): RawValue | undefined {
  return getField(stage, nameOf(stage));
}
