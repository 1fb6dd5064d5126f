/**
 * The settings that an operation's query has: what it asks of shards carries them.
 */
import type { OperationContext } from '../../server/cluster.ts';

const SETTINGS = new WeakMap<OperationContext, Buffer>();

export function attachSettings(op: OperationContext, settings: Buffer): void {
  SETTINGS.set(op, settings);
}

export function attachedSettings(op: OperationContext): Buffer | undefined {
  return SETTINGS.get(op);
}
