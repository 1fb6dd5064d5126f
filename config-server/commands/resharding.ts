/**
 * _configsvrAbortReshardCollection, _configsvrCommitReshardCollection and _configsvrCleanupReshardCollection: there is no
 * reshardCollection yet, so none is ever under way, and none leaves anything behind.
 * Source: MongoDB's manual, the commands of these names.
 */
import { CommandError } from '../../common/errors.ts';
import { defineCommand, type Command } from '../../server/cluster.ts';
import { requireSharded } from '../catalog/required-routing.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

export function abortReshardCollection(server: ConfigServerSource): Command {
  return ofResharding(server, 'AbortReshardCollection', 'Gives a resharding up.');
}

export function commitReshardCollection(server: ConfigServerSource): Command {
  return ofResharding(server, 'CommitReshardCollection', 'Ends a resharding at once.');
}

export function cleanupReshardCollection(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrCleanupReshardCollection',
      'Removes what a resharding left.',
      'reshardCollection',
    ),
    parse: namespaceIn,
    execute: async (namespace, op) => void (await requireSharded(server(), op, namespace)),
    reply: () => ({}),
  });
}

function ofResharding(server: ConfigServerSource, name: string, help: string): Command {
  return defineCommand({
    ...configTraits(`_configsvr${name}`, help, 'reshardCollection'),
    parse: namespaceIn,
    execute: async (namespace, op) => {
      await requireSharded(server(), op, namespace);
      throw new CommandError(
        'NoSuchReshardCollection',
        'Could not find resharding-related metadata that matches the given namespace',
      );
    },
    reply: () => ({}),
  });
}
