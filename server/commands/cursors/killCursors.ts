/**
 * killCursors: closes cursors of a collection.
 * Source: MongoDB's manual, "killCursors".
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const killCursors = defineCommand({
  name: 'killCursors',
  help: 'Closes cursors, wherever they stand.',
  kind: 'admin',
  access: { action: 'killCursors', on: 'collection' },
  route: 'cursor',
  apiVersions: ['1'],
  parse: (body) => {
    const namespace = body.collection();
    const ids = body.array('cursors').map((value, index) => {
      if (value.type === BsonType.int64) return value.asInt64();
      throw body.wrongType(`cursors.${index}`, value, "expected type 'long'");
    });
    if (ids.length === 0) {
      throw new CommandError('BadValue', "'cursors' must name at least one cursor");
    }
    return { namespace, ids };
  },
  execute: ({ namespace, ids }, op) => {
    const killed: bigint[] = [];
    const notFound: bigint[] = [];
    for (const id of ids) {
      const outcome = op.service.cursors.kill(id, namespace);
      (outcome === 'killed' ? killed : notFound).push(id);
    }
    return { killed, notFound };
  },
  reply: ({ killed, notFound }) => ({
    cursorsKilled: killed,
    cursorsNotFound: notFound,
    cursorsAlive: [],
    cursorsUnknown: [],
  }),
});
