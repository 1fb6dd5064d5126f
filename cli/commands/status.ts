/**
 * `flint status`: what runs of a cluster.
 */
import { clusterOf, CLUSTER_OPTIONS } from '../command-line/cluster-options.ts';
import { ClusterTable } from '../command-line/cluster-table.ts';
import type { Subcommand } from '../command-line/subcommand.ts';

export const status: Subcommand = {
  name: 'status',
  summary: 'Shows the processes of a cluster.',
  positionals: [],
  description: `Shows the processes of a cluster that flint up started, and its connection string.

Examples:
  flint status
  flint status --dir /tmp/cluster`,
  options: CLUSTER_OPTIONS,
  async run(given) {
    const cluster = clusterOf(given);
    const table = new ClusterTable(cluster);
    try {
      process.stdout.write(`${await table.once()}\n\n${cluster.uri}\n`);
    } finally {
      table.close();
    }
    return 0;
  },
};
