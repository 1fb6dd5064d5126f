/**
 * _shardsvrMovePrimary: this shard gives a database's unsharded collections and views to another one; answered when they are given, or
 * nothing has moved.
 */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { DatabaseVersion } from '../../sharding/database-version.ts';
import { migrationsOf } from '../../sharding/migrations.ts';
import type { PrimaryMoveRequest } from '../../sharding/primary-move-source.ts';
import { shardingOf, shardTraits, textIn } from './shard-command.ts';

export const movePrimary = defineCommand({
  ...shardTraits('_shardsvrMovePrimary', "Gives a database's own collections to another shard."),
  parse: (body): PrimaryMoveRequest => {
    const version = body.value('expectedDatabaseVersion');
    if (version === undefined) {
      throw new CommandError(
        'IDLFailedToParse',
        "BSON field 'expectedDatabaseVersion' is missing but a required field",
      );
    }
    return {
      database: textIn(body),
      toShard: body.string('toShard'),
      toHost: body.string('toHost'),
      version: DatabaseVersion.parse(version, 'expectedDatabaseVersion'),
    };
  },
  execute: async (request, op) => {
    const migrations = migrationsOf(shardingOf(op));
    try {
      await migrations.primarySource.move(op, request);
    } finally {
      void migrations.finishPrimaryMoves();
    }
  },
  reply: () => ({}),
});
