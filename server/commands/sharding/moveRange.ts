/**
 * _shardsvrMoveRange: this shard gives a range to another one; answered when it is given, or nothing has moved.
 *
 * Killing this operation cancels the migration, as long as the config server has not given the range over.
 */
import type { RawValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { MigrationRequest } from '../../sharding/migration-source.ts';
import { migrationsOf } from '../../sharding/migrations.ts';
import { waitForRemoval } from '../../sharding/range-deletions.ts';
import { namespaceIn, shardingOf, shardTraits } from './shard-command.ts';

export const moveRange = defineCommand({
  ...shardTraits('_shardsvrMoveRange', 'Gives a range of a collection to another shard.'),
  parse: (body): MigrationRequest => {
    body.ignore('fromShard');
    return {
      namespace: namespaceIn(body),
      min: body.document('min'),
      max: body.document('max'),
      toShard: body.string('toShard'),
      toHost: body.string('toHost'),
      waitsForDelete: body.boolean('waitForDelete', false),
    };
  },
  execute: async (request, op) => {
    const migrations = migrationsOf(shardingOf(op));
    let id: RawValue;
    try {
      id = await migrations.source.migrate(op, request);
    } finally {
      void migrations.finish();
    }
    if (request.waitsForDelete) await waitForRemoval(op, id);
  },
  reply: () => ({}),
});
