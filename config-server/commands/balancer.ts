/**
 * _configsvrBalancerStart, _configsvrBalancerStop, _configsvrBalancerStatus and _configsvrBalancerCollectionStatus.
 * Source: MongoDB's manual, the commands of these names.
 */
import { booleanValue, documentOf, setField, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { defineCommand, type Command, type OperationContext } from '../../server/cluster.ts';
import { measureCollection } from '../balancer/distribution.ts';
import { chooseMoves, zoneSplits, type Reason } from '../balancer/policy.ts';
import { BALANCER_KEY, collectionSettings, readSettings } from '../balancer/settings.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

const MEBIBYTE = 1024 * 1024;

export function balancerStart(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrBalancerStart', 'Starts the balancer.', 'balancerStart'),
    parse: () => undefined,
    execute: async (_none, op) => {
      await setMode(server(), op, 'full');
      server().balancer?.wake();
    },
    reply: () => ({}),
  });
}

export function balancerStop(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrBalancerStop', 'Stops the balancer.', 'balancerStop'),
    parse: () => undefined,
    execute: async (_none, op) => {
      await setMode(server(), op, 'off');
      // Its migrations go to their end; who waits knows then that nothing moves by itself.
      await op.waitFor(server().balancer?.roundEnd() ?? Promise.resolve());
    },
    reply: () => ({}),
  });
}

export function balancerStatus(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrBalancerStatus', 'Says what the balancer does.', 'balancerStatus'),
    parse: () => undefined,
    execute: () => readSettings(server().catalog),
    reply: ({ mode }) => ({
      mode,
      inBalancerRound: server().balancer?.isInRound === true,
      numBalancerRounds: BigInt(server().balancer?.roundCount ?? 0),
      term: 1n,
    }),
  });
}

interface CollectionStatus {
  readonly rangeBytes: number;
  readonly violation: Reason | undefined;
}

export function balancerCollectionStatus(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrBalancerCollectionStatus',
      'Says whether a collection is balanced.',
      'enableSharding',
    ),
    parse: namespaceIn,
    execute: (namespace, op) => collectionStatus(server(), op, namespace),
    reply: ({ rangeBytes, violation }) => ({
      chunkSize: rangeBytes / MEBIBYTE,
      balancerCompliant: violation === undefined,
      ...(violation === undefined
        ? {}
        : { firstComplianceViolation: violation, details: DETAILS[violation] }),
    }),
  });
}

const DETAILS: Readonly<Record<Reason, string>> = {
  draining: 'One or more chunks are on a shard that is being drained',
  zoneViolation: 'One or more chunks are on a shard outside of their zone',
  chunksImbalance: 'The shards differ by at least three times the size of a range',
};

async function collectionStatus(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
): Promise<CollectionStatus> {
  const { catalog } = server;
  const routing = await catalog.routing(op, namespace);
  const key = { set: 'collections', id: stringValue(namespace) };
  const document = await catalog.topology.get(key);
  const own = document === undefined ? undefined : collectionSettings(document).rangeBytes;
  const rangeBytes = own ?? (await readSettings(catalog)).rangeBytes;
  const distribution = await measureCollection(server, op, routing, { rangeBytes });
  for (const failure of distribution.failures.values()) throw failure;
  const [move] = chooseMoves(distribution);
  const isCut = zoneSplits(distribution.chunks, distribution.zones).length > 0;
  return { rangeBytes, violation: move?.reason ?? (isCut ? 'zoneViolation' : undefined) };
}

async function setMode(
  { catalog }: ConfigServer,
  op: OperationContext,
  mode: 'full' | 'off',
): Promise<void> {
  const before = await catalog.topology.get(BALANCER_KEY);
  const base = before ?? documentOf({ _id: 'balancer' });
  const stopped = setField(base, 'stopped', booleanValue(mode === 'off'));
  const value = setField(stopped, 'mode', stringValue(mode));
  const change = {
    expected: [{ key: BALANCER_KEY, value: before }],
    puts: [{ key: BALANCER_KEY, value }],
  };
  const entry = {
    what: `balancer.${mode === 'off' ? 'stop' : 'start'}`,
    namespace: 'config.settings',
    details: documentOf({}),
  };
  if (await catalog.change(op, change, entry)) return;
  throw new CommandError(
    'ConflictingOperationInProgress',
    'The settings of the balancer changed meanwhile',
  );
}
