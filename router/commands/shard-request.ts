/**
 * The body of a command as a shard gets it: what the client sent, with what the router changes.
 *
 * Promises: nothing of the client's session goes on (shards know no sessions of routers yet); what is left of the client's time goes
 * with it, so that the shard stops by itself, too.
 */
import { DocumentBuilder, FieldCursor, type RawValue } from '../../bson/index.ts';
import { isGenericArgument } from '../../server/cluster.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { attachedSettings } from '../settings/attached.ts';
import type { Versions } from '../routing/collection-route.ts';

/** Arguments that are the router's own business. */
const KEPT_BACK: ReadonlySet<string> = new Set([
  'lsid',
  'txnNumber',
  'stmtId',
  'stmtIds',
  '$clusterTime',
  '$configTime',
  '$topologyTime',
  '$readPreference',
  '$queryOptions',
  'maxTimeMS',
  'maxTimeMSOpOnly',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
  'shardVersion',
  'databaseVersion',
  'querySettings',
]);

export interface Changes {
  /** Fields that get another value, in their place or at the end; undefined takes the field away. */
  readonly set?: Readonly<Record<string, RawValue | undefined>>;
  readonly versions?: Versions;
  /** It goes to a command that knows neither maxTimeMS nor concerns. */
  readonly withoutGeneric?: boolean;
}

/** @param source the client's command */
export function shardRequest(op: OperationContext, source: Buffer, changes: Changes = {}): Buffer {
  const { set = {}, versions, withoutGeneric } = changes;
  const out = new DocumentBuilder(source.length + 256);
  const waiting = new Map(Object.entries(set));
  const cursor = new FieldCursor(source);
  while (cursor.next()) {
    const { name } = cursor;
    if (KEPT_BACK.has(name)) continue;
    if (withoutGeneric === true && name !== '$db' && isGenericArgument(name)) continue;
    if (!waiting.has(name)) {
      out.append(name, cursor.value());
      continue;
    }
    const value = waiting.get(name);
    waiting.delete(name);
    if (value !== undefined) out.append(name, value);
  }
  for (const [name, value] of waiting) if (value !== undefined) out.append(name, value);
  appendLimits(out, op);
  if (versions !== undefined) appendVersions(out, versions);
  return out.finish();
}

/** What every command to a shard ends with. */
export function appendLimits(out: DocumentBuilder, op: OperationContext): void {
  const settings = attachedSettings(op);
  if (settings !== undefined) out.appendDocument('querySettings', settings);
  const remainingMs = op.remainingTimeMs;
  if (remainingMs !== undefined)
    out.appendInteger('maxTimeMS', Math.max(1, Math.ceil(remainingMs)));
}

export function appendVersions(out: DocumentBuilder, versions: Versions): void {
  if (versions.shardVersion !== undefined)
    out.appendDocument('shardVersion', versions.shardVersion);
  if (versions.databaseVersion !== undefined) {
    out.appendDocument('databaseVersion', versions.databaseVersion);
  }
}
