/**
 * What the subcommands about a cluster have in common: the directory, and failures as sentences.
 */
import { ClusterError, openCluster, type Cluster } from '../../client/index.ts';
import type { GivenOptions, OptionDefinition } from '../../server/index.ts';
import { FailedCommand } from './subcommand.ts';

const GROUP = 'Cluster';

export const DEFAULT_CLUSTER_DIRECTORY = './flint-cluster';

export const CLUSTER_OPTIONS: readonly OptionDefinition[] = [
  { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
  {
    flag: 'dir',
    type: 'string',
    value: '<directory>',
    group: GROUP,
    help: `The cluster's directory. Default ${DEFAULT_CLUSTER_DIRECTORY}.`,
  },
];

export function directoryOf(given: GivenOptions): string {
  const dir = given.get('dir');
  return typeof dir === 'string' ? dir : DEFAULT_CLUSTER_DIRECTORY;
}

/** @throws FailedCommand when there is none */
export function clusterOf(given: GivenOptions): Cluster {
  try {
    return openCluster(directoryOf(given));
  } catch (error) {
    throw asFailure(error);
  }
}

/** Runs what may fail for reasons of the cluster. @throws FailedCommand */
export async function orFail<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw asFailure(error);
  }
}

function asFailure(error: unknown): unknown {
  return error instanceof ClusterError ? new FailedCommand(error.message) : error;
}
