/**
 * What the giving shard of a migration sends to the taking one: _shardsvrStartReceive, _shardsvrReceiveDocuments,
 * _shardsvrFlushReceived, _shardsvrFinishReceive.
 */
import { BsonType, getField, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { wholeNamespace } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReceiveRequest } from '../../sharding/migration-target.ts';
import { parseCopy } from './createCollectionParticipant.ts';
import { migrationsOf } from '../../sharding/migrations.ts';
import { shardingOf, shardTraits } from './shard-command.ts';

export const startReceive = defineCommand({
  ...shardTraits('_shardsvrStartReceive', 'Begins to take a range from another shard.'),
  parse: (body): ReceiveRequest => ({
    migrationId: migrationIdIn(body),
    copy: parseCopy(body, wholeNamespace(body.string('ns'))),
    pattern: body.document('keyPattern'),
    min: body.document('min'),
    max: body.document('max'),
    fromShard: body.string('fromShard'),
  }),
  execute: (request, op) => migrationsOf(shardingOf(op)).target.start(op, request),
  reply: () => ({}),
});

export const receiveDocuments = defineCommand({
  ...shardTraits('_shardsvrReceiveDocuments', 'Takes documents of a range, and removes some.'),
  parse: (body) => ({
    migrationId: migrationIdIn(body),
    documents: body.documents('documents', []),
    deleted: body.documents('deleted', []).map(idIn),
  }),
  execute: ({ migrationId, documents, deleted }, op) =>
    migrationsOf(shardingOf(op)).target.receive(op, migrationId, documents, deleted),
  reply: () => ({}),
});

export const flushReceived = defineCommand({
  ...shardTraits('_shardsvrFlushReceived', 'Makes what was taken of a range durable.'),
  parse: migrationIdIn,
  execute: (migrationId, op) => migrationsOf(shardingOf(op)).target.flush(op, migrationId),
  reply: () => ({}),
});

export const finishReceive = defineCommand({
  ...shardTraits('_shardsvrFinishReceive', 'Hears how a migration ended.'),
  parse: (body) => ({
    migrationId: migrationIdIn(body),
    namespace: wholeNamespace(body.string('ns')),
    isCommitted: body.boolean('committed'),
  }),
  execute: async ({ migrationId, ...outcome }, op) => {
    const migrations = migrationsOf(shardingOf(op));
    await migrations.target.finish(op, migrationId, outcome);
    void migrations.clean();
  },
  reply: () => ({}),
});

function migrationIdIn(body: CommandBody): RawValue {
  const value = body.value('migrationId');
  if (value?.type === BsonType.binData) return value;
  throw new CommandError('TypeMismatch', "BSON field 'migrationId' is missing or no UUID");
}

function idIn(document: Buffer): RawValue {
  const id = getField(document, '_id');
  if (id !== undefined) return id;
  throw new CommandError('BadValue', "an element of 'deleted' has no _id");
}
