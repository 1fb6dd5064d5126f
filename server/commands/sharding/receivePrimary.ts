/**
 * What the giving shard of a movePrimary sends to the taking one: _shardsvrStartReceivePrimary, _shardsvrReceivePrimaryDocuments,
 * _shardsvrFlushReceivedPrimary, _shardsvrFinishReceivePrimary.
 */
import { BsonType, getField, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { wholeNamespace } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { migrationsOf } from '../../sharding/migrations.ts';
import type { MovedCollection, PrimaryReceiveRequest } from '../../sharding/primary-move-target.ts';
import { uuidIn } from './createCollectionParticipant.ts';
import { shardingOf, shardTraits, textIn } from './shard-command.ts';

export const startReceivePrimary = defineCommand({
  ...shardTraits('_shardsvrStartReceivePrimary', 'Begins to take a database from another shard.'),
  parse: (body): PrimaryReceiveRequest => ({
    database: textIn(body),
    moveId: moveIdIn(body),
    fromShard: body.string('fromShard'),
    collections: body.documents('collections', []).map(movedCollection),
  }),
  execute: (request, op) => migrationsOf(shardingOf(op)).primaryTarget.start(op, request),
  reply: () => ({}),
});

export const receivePrimaryDocuments = defineCommand({
  ...shardTraits('_shardsvrReceivePrimaryDocuments', 'Takes documents of a database that moves.'),
  parse: (body) => {
    // Who sends it names the database first, as in all of these.
    textIn(body);
    return {
      moveId: moveIdIn(body),
      namespace: wholeNamespace(body.string('ns')),
      documents: body.documents('documents', []),
    };
  },
  execute: ({ moveId, ...what }, op) =>
    migrationsOf(shardingOf(op)).primaryTarget.receive(op, moveId, what),
  reply: () => ({}),
});

export const flushReceivedPrimary = defineCommand({
  ...shardTraits('_shardsvrFlushReceivedPrimary', 'Makes what was taken of a database durable.'),
  parse: (body) => ({ database: textIn(body), moveId: moveIdIn(body) }),
  execute: ({ database, moveId }, op) =>
    migrationsOf(shardingOf(op)).primaryTarget.flush(op, moveId, database),
  reply: () => ({}),
});

export const finishReceivePrimary = defineCommand({
  ...shardTraits('_shardsvrFinishReceivePrimary', 'Hears how a movePrimary ended.'),
  parse: (body) => ({
    database: textIn(body),
    moveId: moveIdIn(body),
    isCommitted: body.boolean('committed'),
  }),
  execute: ({ moveId, ...outcome }, op) =>
    migrationsOf(shardingOf(op)).primaryTarget.finish(op, moveId, outcome),
  reply: () => ({}),
});

function moveIdIn(body: CommandBody): RawValue {
  const value = body.value('moveId');
  if (value?.type === BsonType.binData) return value;
  throw new CommandError('TypeMismatch', "BSON field 'moveId' is missing or no UUID");
}

function movedCollection(document: Buffer): MovedCollection {
  const field = (name: string): RawValue => {
    const value = getField(document, name);
    if (value !== undefined) return value;
    throw new CommandError('IDLFailedToParse', `BSON field 'collections.${name}' is missing`);
  };
  return {
    namespace: wholeNamespace(field('ns').asString()),
    kind: kindOf(field('kind').asString()),
    uuid: uuidIn(field('uuid')),
    options: field('options').asDocument(),
    indexes: field('indexes').asDocument(),
    isSharded: field('sharded').asBoolean(),
  };
}

function kindOf(text: string): MovedCollection['kind'] {
  if (text === 'collection' || text === 'view' || text === 'timeseries') return text;
  throw new CommandError('BadValue', `'${text}' is no kind of collection`);
}
