/**
 * Pipelines over what only the server has: operations, sessions, statistics of collections, indexes and cached plans.
 * Source: MongoDB's manual, the pages of these stages.
 */
import { createHash } from 'node:crypto';
import {
  binaryValue,
  DocumentBuilder,
  doubleValue,
  fieldsOf,
  getField,
  isEmpty,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError, type ErrorCodeName } from '../../../common/errors.ts';
import { namespaceOfBuckets, type PipelineHost } from '../../../query/index.ts';
import type { CollectionDescription, ReadView } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { replyDocument, type ReplyFields, type ReplyValue } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { sizeFields } from '../catalog/collStats.ts';
import type { NamespaceUsage, UsageCounter } from '../../profiling/collection-usage.ts';
import { listOperations } from '../diagnostics/currentOp.ts';
import { collectionSizes } from '../catalog/collection-sizes.ts';
import { type OutputOptions, PipelineWriter } from './output-writer.ts';

/** What a source stage is asked. */
interface SourceRequest {
  readonly op: OperationContext;
  readonly argument: Buffer;
  readonly namespace: string;
  readonly view: ReadView;
  readonly collection: CollectionDescription | undefined;
}

const SOURCES: Readonly<Record<string, (request: SourceRequest) => Iterable<Buffer>>> = {
  $collStats: (request) => documentsOf(collectionStatistics(request)),
  $currentOp: currentOperations,
  $indexStats: (request) => documentsOf(indexStatistics(request)),
  $listCatalog: (request) => documentsOf(catalogEntries(request)),
  $listLocalSessions: (request) => documentsOf(localSessions(request)),
  $listSessions: listSessions,
  $planCacheStats: (request) => documentsOf(cachedPlans(request)),
  $querySettings: querySettings,
  $queryStats: queryStatistics,
};

/** What MongoDB has behind a router, or in a replica set, and refuses elsewhere. */
const REFUSED: Readonly<Record<string, readonly [code: ErrorCodeName | number, message: string]>> =
  {
    // What MongoDB answers outside a replica set.
    $changeStream: [40_573, 'The $changeStream stage is only supported on replica sets'],
    $listSampledQueries: [
      'IllegalOperation',
      '$listSampledQueries is not supported on a standalone mongod',
    ],
    $shardedDataDistribution: [
      6_789_101,
      'The $shardedDataDistribution stage can only be run on mongoS',
    ],
  };

/** Names of the stages whose documents this server has, for documentation and tests. */
export function sourceStageNames(): readonly string[] {
  return Object.keys(SOURCES).toSorted();
}

/** The code with which a stage is refused by name. */
export function refusalCodeOf(stage: string): number {
  return refusalOf(stage).code;
}

function refusalOf(stage: string): CommandError {
  const known = REFUSED[stage];
  if (known !== undefined) return new CommandError(...known);
  return new CommandError('CommandNotSupported', `${stage} is not supported by this server`);
}

/** The server as the pipelines of one operation see it. */
export function pipelineHost(op: OperationContext, output: OutputOptions): PipelineHost {
  return {
    writer: new PipelineWriter(op, output),
    source(stage, argument, { namespace, view, collection }) {
      const source = SOURCES[stage];
      if (source === undefined) throw refusalOf(stage);
      return source({ op, argument, namespace, view, collection });
    },
  };
}

function* documentsOf(entries: Iterable<ReplyFields>): Iterable<Buffer> {
  for (const fields of entries) yield replyDocument(fields);
}

/**
 * Without access control all operations are everybody's; this server has none but local ones, shows commands whole, and its
 * sessions hold no transaction between two operations, nor its operations a stack.
 */
const WITHOUT_EFFECT = new Set([
  'allUsers',
  'localOps',
  'truncateOps',
  'idleSessions',
  'backtrace',
]);

function currentOperations({ op, argument, namespace }: SourceRequest): Iterable<Buffer> {
  uassert(
    namespace === 'admin.$cmd.aggregate',
    'InvalidNamespace',
    "$currentOp must be run against the 'admin' database with {aggregate: 1}",
  );
  const asked = new Set<string>();
  for (const [name, value] of fieldsOf(argument)) {
    if (isOperationOption(name, value)) asked.add(name);
  }
  return listOperations(op, {
    idleConnections: asked.has('idleConnections'),
    idleCursors: asked.has('idleCursors'),
  });
}

/** @returns the option's value. */
function isOperationOption(name: string, value: RawValue): boolean {
  if (!WITHOUT_EFFECT.has(name) && name !== 'idleConnections' && name !== 'idleCursors') {
    throw new CommandError('FailedToParse', `Unrecognized option '${name}' in $currentOp stage.`);
  }
  if (value.typeName === 'bool') return value.asBoolean();
  throw new CommandError(
    'FailedToParse',
    `The '${name}' parameter of the $currentOp stage must be a boolean value, but found: ${value.typeName}`,
  );
}

const UUID_SUBTYPE = 4;
/** MongoDB's digest of "nobody has logged in". */
const NOBODY = createHash('sha256').digest();

function* localSessions({ op }: SourceRequest): Iterable<ReplyFields> {
  const { sessions, clock } = op.service;
  const monotonicToWallMs = clock.wallMs() - clock.monotonicMs();
  for (const session of sessions.all()) {
    yield {
      _id: { id: binaryValue(session.id, UUID_SUBTYPE), uid: binaryValue(NOBODY, 0) },
      lastUse: new Date(Math.round(session.lastUsedMs + monotonicToWallMs)),
    };
  }
}

function* indexStatistics({ op, argument, collection }: SourceRequest): Iterable<ReplyFields> {
  uassert(isEmpty(argument), 28_803, 'The $indexStats stage specification must be an empty object');
  const { identity, planner } = op.service;
  for (const index of collection?.indexes ?? []) {
    const { operations, sinceWallMs } = planner.indexUsage.accessesOf(index);
    yield {
      name: index.name,
      key: getField(index.spec, 'key'),
      host: `${identity.host}:${identity.port}`,
      accesses: { ops: BigInt(operations), since: new Date(sinceWallMs) },
      shard: shardOf(op),
      spec: index.spec,
      building: index.ready ? undefined : true,
    };
  }
}

function* cachedPlans({ op, argument, collection }: SourceRequest): Iterable<ReplyFields> {
  for (const [name] of fieldsOf(argument)) {
    if (name === 'allHosts') continue;
    throw new CommandError(
      'FailedToParse',
      `$planCacheStats parameters object must be empty or only contain the field 'allHosts'; found: ${name}`,
    );
  }
  if (collection === undefined) return;
  const { identity, planner } = op.service;
  for (const plan of planner.planCaches.peek(collection)?.plans() ?? []) {
    const { query, shapeHash } = plan;
    yield {
      version: '1',
      queryHash: shapeHash,
      planCacheShapeHash: shapeHash,
      planCacheKey: plan.keyHash,
      isActive: plan.isActive,
      works: BigInt(plan.works),
      worksType: 'works',
      timeOfCreation: new Date(plan.createdWallMs),
      createdFromQuery: {
        query: query.filter,
        sort: query.sort,
        projection: query.projection,
        ...(isEmpty(query.collation) ? {} : { collation: query.collation }),
      },
      cachedPlan: plan.shown,
      creationExecStats: [...plan.trials],
      candidatePlanScores: plan.scores.map((score) => doubleValue(score)),
      indexFilterSet: false,
      estimatedSizeBytes: BigInt(plan.shown.length + query.filter.length + ENTRY_BYTES),
      host: `${identity.host}:${identity.port}`,
      shard: shardOf(op),
    };
  }
}

/** The name of the shard in what it tells a router. */
function shardOf({ routedBy, service }: OperationContext): string | undefined {
  return routedBy === undefined ? undefined : service.sharding?.identity?.shardName;
}

/** A cache entry besides its documents, bytes, estimated. */
const ENTRY_BYTES = 512;

/** All sessions of a server alone are its own. */
function listSessions(request: SourceRequest): Iterable<Buffer> {
  uassert(
    request.namespace === 'config.system.sessions',
    'InvalidNamespace',
    `$listSessions may be run only against config.system.sessions, not ${request.namespace}`,
  );
  return documentsOf(localSessions(request));
}

/** Settings of query shapes: only replica sets and clusters take any (setQuerySettings). */
function querySettings({ argument }: SourceRequest): Iterable<Buffer> {
  for (const [name, value] of fieldsOf(argument)) {
    if (name !== 'showDebugQueryShape') {
      throw new CommandError(
        'IDLUnknownField',
        `BSON field '$querySettings.${name}' is an unknown field.`,
      );
    }
    uassert(
      value.typeName === 'bool',
      'TypeMismatch',
      `BSON field '$querySettings.showDebugQueryShape' is the wrong type '${value.typeName}', expected type 'bool'`,
    );
  }
  return [];
}

/**
 * One collection, or every one (from the database admin, with {aggregate: 1}), with its indexes; views with what they are of.
 * Source: MongoDB's jstests/core/catalog/list_catalog.js.
 */
function* catalogEntries({
  op,
  argument,
  namespace,
  view,
  collection,
}: SourceRequest): Iterable<ReplyFields> {
  uassert(
    isEmpty(argument),
    6_200_600,
    'The $listCatalog stage specification must be an empty object',
  );
  const isOfAll = namespace.endsWith('.$cmd.aggregate');
  uassert(
    !isOfAll || op.database === 'admin',
    'InvalidNamespace',
    "Collectionless $listCatalog must be run against the 'admin' database",
  );
  if (isOfAll) for (const each of view.collections()) yield catalogEntry(each);
  else if (collection !== undefined) yield { ...catalogEntry(collection), shard: shardOf(op) };
}

function catalogEntry(collection: CollectionDescription): ReplyFields {
  const { namespace, kind, options, indexes } = collection;
  const { database, collection: name } = splitNamespace(namespace);
  if (kind !== 'collection') {
    const fields: Record<string, ReplyValue> = { db: database, name, type: kind, ns: namespace };
    for (const [field, value] of fieldsOf(options)) fields[field] ??= value;
    return fields;
  }
  const ident = `collection-${collection.uuid}`;
  const idents = indexes.map((index) => [index.name, `index-${collection.uuid}-${index.name}`]);
  return {
    db: database,
    name,
    type: 'collection',
    idxIdent: Object.fromEntries(idents),
    ident,
    md: {
      ns: namespace,
      options: new DocumentBuilder()
        .append('uuid', binaryValue(Buffer.from(collection.uuid, 'hex'), UUID_SUBTYPE))
        .appendElementsOf(options)
        .finish(),
      indexes: indexes.map(({ spec, ready, multikey }) => ({
        spec,
        ready,
        multikey,
        head: 0n,
        backgroundSecondary: false,
      })),
    },
    ns: namespace,
  };
}

/**
 * Statistics of query shapes: none are kept, as in MongoDB while `internalQueryStatsRateLimit` has its default, 0; reading
 * them gives no documents then (jstests/noPassthrough/queryStats/query_stats_sampling_rate_off.js).
 */
function queryStatistics({ argument, namespace }: SourceRequest): Iterable<Buffer> {
  uassert(
    namespace.startsWith('admin.'),
    'InvalidNamespace',
    "$queryStats must be run against the 'admin' database with {aggregate: 1}",
  );
  for (const [name] of fieldsOf(argument)) {
    uassert(
      name === 'transformIdentifiers',
      'FailedToParse',
      `$queryStats parameters object may only contain 'transformIdentifiers'. Found: ${name}`,
    );
  }
  return [];
}

function* collectionStatistics(request: SourceRequest): Iterable<ReplyFields> {
  const { op, argument, namespace, view, collection } = request;
  if (collection === undefined) {
    throw new CommandError('NamespaceNotFound', `Collection [${namespace}] not found.`);
  }
  const { identity, clock } = op.service;
  const parts: Record<string, ReplyValue> = {};
  for (const [name, value] of fieldsOf(argument)) {
    if (name === 'count') parts[name] = view.recordCount(collection);
    else if (name === 'storageStats') {
      const sizes = collectionSizes(op.engine, view, collection);
      parts[name] = sizeFields({ scale: scaleOf(value), collection, sizes });
    } else if (name === 'latencyStats') {
      parts[name] = latencyStatistics(op.service.collectionUsage.all().get(namespace), value);
    } else if (name === 'queryExecStats') {
      throw new CommandError(
        'NotImplemented',
        `$collStats.${name} is not supported by FlintDB yet`,
      );
    } else {
      throw new CommandError(
        'IDLUnknownField',
        `BSON field '$collStats.${name}' is an unknown field.`,
      );
    }
  }
  const localTime = new Date(clock.wallMs());
  const ns = namespaceOfBuckets(namespace) ?? namespace;
  const host = `${identity.host}:${identity.port}`;
  yield { ns, shard: shardOf(op), host, localTime, ...parts };
}

/** How often and how long, by kind of operation, as top has it; how the times are spread is not kept. */
function latencyStatistics(usage: NamespaceUsage | undefined, options: RawValue): ReplyFields {
  const wanted =
    options.typeName === 'object' ? getField(options.asDocument(), 'histograms') : undefined;
  const histogram = wanted?.isTruthy() === true ? { histogram: [] } : {};
  const sum = (counters: readonly (UsageCounter | undefined)[]): ReplyFields => {
    let [micros, count] = [0, 0];
    for (const counter of counters) {
      micros += counter?.micros ?? 0;
      count += counter?.count ?? 0;
    }
    return { ...histogram, latency: BigInt(Math.round(micros)), ops: BigInt(count) };
  };
  return {
    reads: sum([usage?.queries, usage?.getmore]),
    writes: sum([usage?.insert, usage?.update, usage?.remove]),
    commands: sum([usage?.commands]),
    transactions: sum([]),
  };
}

function scaleOf(storageStats: RawValue): number {
  uassert(
    storageStats.typeName === 'object',
    'TypeMismatch',
    `BSON field '$collStats.storageStats' is the wrong type '${storageStats.typeName}', expected type 'object'`,
  );
  for (const [name, value] of fieldsOf(storageStats.asDocument())) {
    if (name !== 'scale' || !value.isNumber) continue;
    const scale = Math.trunc(value.asNumber());
    uassert(scale >= 1, 51_024, `BSON field 'scale' value must be >= 1, actual value '${scale}'`);
    return scale;
  }
  return 1;
}
