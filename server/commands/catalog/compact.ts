/**
 * compact: gives the space of deleted documents back; autoCompact has it done without being asked again.
 *
 * Collections share extents, so that compacting one means emptying whatever is mostly dead. Every checkpoint cleans a bounded
 * part by itself, which is all that autoCompact could switch on: it compacts once, when it is asked to.
 * Source: MongoDB's manual, "compact", "autoCompact".
 */
import { BsonType } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const compact = defineCommand({
  name: 'compact',
  help: 'Frees the space that deleted documents have left behind.',
  kind: 'admin',
  access: { action: 'compact', on: 'collection' },
  route: 'never',
  parse: (body) => {
    const namespace = body.collection();
    // `force` is for primaries, and there is no target to stop early at: everything mostly dead is emptied.
    body.safeBoolean('force', false);
    body.integer('freeSpaceTargetMB', undefined, 1);
    return { namespace, dryRun: body.safeBoolean('dryRun', false) };
  },
  async execute({ namespace, dryRun }, op) {
    const collection = op.view().collection(namespace);
    uassert(collection !== undefined, 'NamespaceNotFound', 'collection does not exist');
    uassert(collection.kind !== 'view', 'CommandNotSupportedOnView', "can't compact a view");
    if (splitNamespace(namespace).collection.startsWith('system.')) {
      throw new CommandError('InvalidNamespace', "can't compact a system namespace");
    }
    if (dryRun) {
      return { estimatedBytesFreed: BigInt(op.engine.storageBytes(collection).free) };
    }
    return { bytesFreed: BigInt(await op.insideWriteGate(() => op.engine.compact(op))) };
  },
  reply: (freed) => freed,
});

export const autoCompact = defineCommand({
  name: 'autoCompact',
  help: 'Frees the space of deleted documents in all collections, now; checkpoints go on with it by themselves.',
  kind: 'admin',
  access: { action: 'compact', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  parse: (body) => {
    if (body.target.type !== BsonType.bool) {
      throw body.wrongType('autoCompact', body.target, "expected type 'bool'");
    }
    body.integer('freeSpaceTargetMB', undefined, 1);
    body.safeBoolean('runOnce', false);
    return body.target.asBoolean();
  },
  async execute(enable, op) {
    if (enable) await op.insideWriteGate(() => op.engine.compact(op));
  },
  reply: () => ({}),
});
