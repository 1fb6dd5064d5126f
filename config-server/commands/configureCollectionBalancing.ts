/**
 * _configsvrConfigureCollectionBalancing and _configsvrSetAllowMigrations: what a collection has of its own for the balancer, in its
 * document of config.collections.
 * Source: MongoDB's manual, "configureCollectionBalancing"; MongoDB's setAllowMigrations.
 */
import {
  booleanValue,
  documentOf,
  int64Value,
  setField,
  stringValue,
  unsetField,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { defineCommand, type Command, type OperationContext } from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

const MEBIBYTE = 1024 * 1024;
const MAX_MEBIBYTES = 1024;

interface Balancing {
  readonly namespace: string;
  readonly chunkMebibytes: number | undefined;
  readonly isBalanced: boolean | undefined;
  readonly isMerged: boolean | undefined;
}

export function configureCollectionBalancing(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrConfigureCollectionBalancing',
      'Changes how a collection is balanced.',
      'enableSharding',
    ),
    parse: (body): Balancing => {
      const chunkMebibytes = body.integer('chunkSize', undefined, 0);
      uassert(
        chunkMebibytes === undefined || chunkMebibytes <= MAX_MEBIBYTES,
        'InvalidOptions',
        `Chunk size '${chunkMebibytes ?? 0}' out of range [1MB, 1GB]`,
      );
      uassert(
        body.boolean('defragmentCollection', false) === false,
        'NotImplemented',
        'defragmentCollection is not supported by this version of FlintDB: see mergeAllChunksOnShard',
      );
      return {
        namespace: namespaceIn(body),
        chunkMebibytes,
        isBalanced: body.boolean('enableBalancing', undefined),
        isMerged: body.boolean('enableAutoMerger', undefined),
      };
    },
    execute: ({ namespace, ...wanted }, op) =>
      changeCollection(server(), op, namespace, (document) => balancingOf(document, wanted)),
    reply: () => ({}),
  });
}

export function setAllowMigrations(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrSetAllowMigrations', 'Lets chunks move, or not.', 'enableSharding'),
    parse: (body) => ({
      namespace: namespaceIn(body),
      isAllowed: body.boolean('allowMigrations'),
    }),
    execute: ({ namespace, isAllowed }, op) =>
      changeCollection(server(), op, namespace, (document) =>
        isAllowed
          ? unsetField(document, 'allowMigrations')
          : setField(document, 'allowMigrations', booleanValue(false)),
      ),
    reply: () => ({}),
  });
}

function balancingOf(before: Buffer, wanted: Omit<Balancing, 'namespace'>): Buffer {
  let after = before;
  const { chunkMebibytes, isBalanced, isMerged } = wanted;
  if (chunkMebibytes === 0) after = unsetField(after, 'maxChunkSizeBytes');
  else if (chunkMebibytes !== undefined) {
    after = setField(after, 'maxChunkSizeBytes', int64Value(BigInt(chunkMebibytes * MEBIBYTE)));
  }
  if (isBalanced !== undefined) after = setField(after, 'noBalance', booleanValue(!isBalanced));
  if (isMerged !== undefined) after = setField(after, 'enableAutoMerge', booleanValue(isMerged));
  return after;
}

/** A migration that is under way expects the document as it was: its commit looks again. */
async function changeCollection(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
  changed: (document: Buffer) => Buffer,
): Promise<void> {
  const { catalog } = server;
  await catalog.routing(op, namespace);
  const key = { set: 'collections', id: stringValue(namespace) };
  const before = await catalog.topology.get(key);
  if (before !== undefined) {
    const puts = [{ key, value: changed(before) }];
    const details = documentOf({});
    const entry = { what: 'configureCollectionBalancing', namespace, details };
    if (await catalog.change(op, { expected: [{ key, value: before }], puts }, entry)) {
      server.balancer?.wake();
      return;
    }
  }
  throw new CommandError('ConflictingOperationInProgress', `${namespace} changed meanwhile`);
}
