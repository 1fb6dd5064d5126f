/**
 * reIndex: builds the indexes of a collection again, all but the one on _id, which validate compares and repair rebuilds.
 * Source: MongoDB's manual, "reIndex".
 */
import type { IndexDescription } from '../../../storage/index.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

const isOnId = ({ fields }: IndexDescription): boolean =>
  fields.length === 1 && fields[0].path === '_id';

export const reIndex = defineCommand({
  name: 'reIndex',
  help: 'Builds all indexes of a collection again.',
  kind: 'admin',
  access: { action: 'reIndex', on: 'collection' },
  route: 'never',
  parse: (body) => body.collection(),
  execute: async (namespace, op) => {
    const before = await op.transact((transaction) => {
      const collection = requireCollection(transaction, namespace);
      const again = collection.indexes.filter((index) => index.ready && !isOnId(index));
      for (const index of again) transaction.dropIndex(collection, index);
      return { count: collection.indexes.length, again };
    });
    const specs = before.again.map(({ spec }) => spec);
    if (specs.length > 0) {
      await op.insideWriteGate(() => op.engine.buildIndexes(namespace, specs, op));
    }
    const { indexes } = requireCollection(op.renewView(), namespace);
    return { countBefore: before.count, specs: indexes.map(({ spec }) => spec) };
  },
  reply: ({ countBefore, specs }) => ({
    nIndexesWas: countBefore,
    nIndexes: specs.length,
    indexes: specs,
  }),
});
