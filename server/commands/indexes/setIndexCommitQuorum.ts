/**
 * setIndexCommitQuorum: how many members must have built an index before it is used. Alone there is no build to wait for.
 * Source: MongoDB's manual, "setIndexCommitQuorum".
 */
import { CommandError } from '../../../common/errors.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const setIndexCommitQuorum = defineCommand({
  name: 'setIndexCommitQuorum',
  help: 'Changes how many members of a replica set must have built an index before it is used.',
  kind: 'admin',
  access: { action: 'createIndex', on: 'collection' },
  route: 'primaryShard',
  refusal: 'IndexNotFound',
  parse: (body) => {
    body.array('indexNames');
    if (body.value('commitQuorum') === undefined) throw body.missing('commitQuorum');
    return body.collection();
  },
  execute: (namespace, op) => {
    requireCollection(op.view(), namespace);
    throw new CommandError(
      'IndexNotFound',
      `Cannot find an index build on collection '${namespace}' with the provided index names`,
    );
  },
  reply: () => ({}),
});
