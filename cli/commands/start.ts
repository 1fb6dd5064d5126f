/**
 * `flint start`: starts one process of a cluster that does not run.
 */
import { clusterOf, CLUSTER_OPTIONS, orFail } from '../command-line/cluster-options.ts';
import type { Subcommand } from '../command-line/subcommand.ts';

export const start: Subcommand = {
  name: 'start',
  summary: 'Starts one process of a cluster again.',
  positionals: ['<process>'],
  description: `Starts a process that was killed or has crashed, on its port and with its data.

Example:
  flint start shard1`,
  options: CLUSTER_OPTIONS,
  async run(given, [name = '']) {
    const cluster = clusterOf(given);
    await orFail(cluster.start(name));
    process.stdout.write(`${name} runs.\n`);
    return 0;
  },
};
