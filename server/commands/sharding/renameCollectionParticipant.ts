/**
 * _shardsvrDrainMigrations and _shardsvrRenameCollectionParticipant: before a sharded collection is renamed its migrations end, and
 * afterwards this shard gives what it has of it the new name.
 *
 * Writers under way end first, and nobody comes in between: a write that was let in by the old name would make a collection of that name
 * again, where no router looks for it.
 */
import type { Transaction } from '../../../storage/index.ts';
import { wholeNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { checkedUuid } from '../../sharding/collection-copy.ts';
import type { CriticalSection } from '../../sharding/collection-state.ts';
import { hasCoordinators } from '../../sharding/migration-source.ts';
import { renameTasks } from '../../sharding/range-deletions.ts';
import type { ShardingState } from '../../sharding/sharding-state.ts';
import { uuidIn } from './createCollectionParticipant.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

const POLL_MS = 50;

export const drainMigrations = defineCommand({
  ...shardTraits('_shardsvrDrainMigrations', "Waits for the end of a collection's migrations."),
  parse: (body) => uuidIn(body.value('uuid')),
  execute: async (uuid, op) => {
    while (await hasCoordinators(op, uuid)) await op.sleep(POLL_MS);
  },
  reply: () => ({}),
});

interface Rename {
  readonly from: string;
  readonly to: string;
  readonly uuid: string;
}

export const renameCollectionParticipant = defineCommand({
  ...shardTraits('_shardsvrRenameCollectionParticipant', 'Renames a collection on this shard.'),
  parse: (body): Rename => ({
    from: namespaceIn(body),
    to: wholeNamespace(body.string('to')),
    uuid: uuidIn(body.value('uuid')),
  }),
  execute: rename,
  reply: () => ({}),
});

async function rename(request: Rename, op: OperationContext): Promise<void> {
  const { from, to } = request;
  const sharding = shardingOf(op);
  const sections: CriticalSection[] = [];
  try {
    for (const namespace of [from, to].sort()) {
      const section = await enter(sharding, op, namespace);
      section.blockReads();
      sections.push(section);
    }
    await op.transact(async (transaction) => {
      follow(transaction, op, request);
      await renameTasks(transaction, request.uuid, to);
    });
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  } finally {
    sharding.forget(from);
    sharding.forget(to);
    for (const section of sections) section.release();
  }
}

async function enter(
  sharding: ShardingState,
  op: OperationContext,
  namespace: string,
): Promise<CriticalSection> {
  const state = sharding.collection(namespace);
  for (let held = state.blocks(true); held !== undefined; held = state.blocks(true)) {
    await op.waitFor(held);
  }
  return state.enterCriticalSection((drained) => op.waitFor(drained));
}

/** What stands under the new name is what was to be dropped: the cluster knows it no more. */
function follow(transaction: Transaction, op: OperationContext, { from, to, uuid }: Rename): void {
  const collection = transaction.collectionByUuid(checkedUuid(uuid));
  if (collection?.namespace === to) return;
  const existing = transaction.collection(to);
  if (existing !== undefined) {
    transaction.dropCollection(existing);
    op.afterCommit(() => op.service.cappedCollections.forget(existing));
  }
  if (collection === undefined) return;
  transaction.renameCollection(collection, to);
  op.afterCommit(() => op.service.collectionUsage.forget(from));
}
