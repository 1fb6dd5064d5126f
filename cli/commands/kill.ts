/**
 * `flint kill`: ends one process of a cluster as a crash would, to see what happens.
 */
import { clusterOf, CLUSTER_OPTIONS, orFail } from '../command-line/cluster-options.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';

export const kill: Subcommand = {
  name: 'kill',
  summary: 'Ends one process of a cluster as a crash would.',
  positionals: ['<process>'],
  description: `Ends a process at once (SIGKILL), to try what happens then. flint start brings it back.

Example:
  flint kill shard1`,
  options: CLUSTER_OPTIONS,
  async run(given, [name = '']) {
    const cluster = clusterOf(given);
    if (!(await orFail(cluster.kill(name)))) throw new FailedCommand(`${name} does not run.`);
    process.stdout.write(`${name} is killed.\n`);
    return 0;
  },
};
