/**
 * What operators want of the balancer: documents of config.settings, as MongoDB has them, and of config.collections.
 * Source: MongoDB's manual, "Manage Sharded Cluster Balancer", "Modify Range Size in a Sharded Cluster".
 */
import { BsonType, getField, stringValue } from '../../bson/index.ts';
import type { ClusterCatalog } from '../catalog/cluster-catalog.ts';

export interface BalancerSettings {
  readonly mode: 'full' | 'off';
  /** Minutes of the day, by the server's clock; undefined: always. */
  readonly window: { readonly start: number; readonly stop: number } | undefined;
  /** Size of a range unless a collection has its own. */
  readonly rangeBytes: number;
}

/** What a collection has of its own. */
export interface CollectionSettings {
  readonly isBalanced: boolean;
  readonly rangeBytes: number | undefined;
}

const MEBIBYTE = 1024 * 1024;
const DEFAULT_MEBIBYTES = 128;
const MAX_MEBIBYTES = 1024;

export const BALANCER_KEY = { set: 'settings', id: stringValue('balancer') };
const RANGE_KEY = { set: 'settings', id: stringValue('chunksize') };

export async function readSettings({ topology }: ClusterCatalog): Promise<BalancerSettings> {
  const balancer = await topology.get(BALANCER_KEY);
  const size = await topology.get(RANGE_KEY);
  const mebibytes = size === undefined ? undefined : getField(size, 'value');
  const given = mebibytes?.isNumber === true ? mebibytes.asNumber() : DEFAULT_MEBIBYTES;
  const isUsable = given >= 1 && given <= MAX_MEBIBYTES;
  return {
    mode: balancer === undefined ? 'full' : modeOf(balancer),
    window: balancer === undefined ? undefined : windowOf(balancer),
    rangeBytes: (isUsable ? given : DEFAULT_MEBIBYTES) * MEBIBYTE,
  };
}

/** @param document of config.collections */
export function collectionSettings(document: Buffer): CollectionSettings {
  const bytes = getField(document, 'maxChunkSizeBytes');
  return {
    isBalanced:
      getField(document, 'noBalance')?.isTruthy() !== true &&
      getField(document, 'allowMigrations')?.isTruthy() !== false,
    rangeBytes: bytes?.isNumber === true ? bytes.asNumber() : undefined,
  };
}

/** @param nowMs wall clock */
export function isWithin(window: BalancerSettings['window'], nowMs: number): boolean {
  if (window === undefined) return true;
  const now = new Date(nowMs);
  const minute = now.getHours() * 60 + now.getMinutes();
  const { start, stop } = window;
  // One that ends before it begins goes over midnight.
  return start <= stop ? minute >= start && minute <= stop : minute >= start || minute <= stop;
}

function modeOf(balancer: Buffer): 'full' | 'off' {
  if (getField(balancer, 'stopped')?.isTruthy() === true) return 'off';
  const mode = getField(balancer, 'mode');
  return mode?.type === BsonType.string && mode.asString() === 'off' ? 'off' : 'full';
}

function windowOf(balancer: Buffer): BalancerSettings['window'] {
  const window = getField(balancer, 'activeWindow');
  if (window?.type !== BsonType.object) return undefined;
  const start = minutesOf(window.asDocument(), 'start');
  const stop = minutesOf(window.asDocument(), 'stop');
  return start === undefined || stop === undefined ? undefined : { start, stop };
}

/** "23:59" */
function minutesOf(window: Buffer, name: string): number | undefined {
  const value = getField(window, name);
  const match =
    value?.type === BsonType.string ? /^(\d{1,2}):(\d{2})$/.exec(value.asString()) : null;
  if (match === null) return undefined;
  const [hours, minutes] = [Number(match[1]), Number(match[2])];
  return hours < 24 && minutes < 60 ? hours * 60 + minutes : undefined;
}
