/**
 * `flint down`: ends a cluster in order. Its data stay.
 */
import { clusterOf, CLUSTER_OPTIONS, orFail } from '../command-line/cluster-options.ts';
import type { Subcommand } from '../command-line/subcommand.ts';

export const down: Subcommand = {
  name: 'down',
  summary: 'Ends the processes of a cluster; its data stay.',
  positionals: [],
  description: `Ends what runs of a cluster: routers, shards, config server. flint up brings it back.

Example:
  flint down --dir /tmp/cluster`,
  options: CLUSTER_OPTIONS,
  async run(given) {
    const cluster = clusterOf(given);
    const stale = cluster.members.filter(({ hasStalePid }) => hasStalePid);
    for (const { name } of stale) {
      process.stdout.write(`${name} had not ended in order: its pid file is stale, and removed.\n`);
    }
    const count = await orFail(cluster.stop());
    process.stdout.write(count === 0 ? 'Nothing ran.\n' : `Ended ${count} processes.\n`);
    return 0;
  },
};
