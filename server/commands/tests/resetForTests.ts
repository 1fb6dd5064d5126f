/**
 * resetForTests: the server as it was when it was new, between two tests of an application.
 *
 * All collections of all databases go in one transaction, and with them cursors, sessions and fail points. What the
 * operator set (parameters, feature compatibility) stays.
 */
import { defineCommand } from '../../command/define-command.ts';

/** What the server keeps there for itself does not belong to a test. */
const KEPT: ReadonlySet<string> = new Set(['config', 'local']);

export const resetForTests = defineCommand({
  name: 'resetForTests',
  help: 'Drops all data, cursors, sessions and fail points. For tests only.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'allShards',
  adminOnly: true,
  testOnly: true,
  parse: () => undefined,
  async execute(_request, op): Promise<number> {
    const { service } = op;
    service.cursors.killWhere(() => true);
    service.sessions.endAll(op.sessionKey);
    for (const name of service.failPoints.names()) {
      service.failPoints.configure(name, { kind: 'off' }, undefined);
    }
    return op.transact((transaction) => {
      const collections = transaction
        .collections()
        .filter(({ namespace }) => !KEPT.has(databaseOf(namespace)));
      for (const collection of collections) {
        transaction.dropCollection(collection);
        op.afterCommit(() => {
          service.cappedCollections.forget(collection);
          service.collectionUsage.forget(collection.namespace);
        });
      }
      const databases = new Set(collections.map(({ namespace }) => databaseOf(namespace)));
      op.afterCommit(() => {
        for (const database of databases) service.profiler.forget(database);
      });
      return collections.length;
    });
  },
  reply: (dropped) => ({ dropped }),
});

function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}
