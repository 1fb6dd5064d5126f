/**
 * `flint logs`: the log of one process of a cluster.
 */
import { createReadStream, existsSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { clusterOf, CLUSTER_OPTIONS } from '../command-line/cluster-options.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';

export const logs: Subcommand = {
  name: 'logs',
  summary: 'Prints the log of one process of a cluster.',
  positionals: ['<process>'],
  description: `Prints what a process has logged: one line of JSON for each event.

Example:
  flint logs router1`,
  options: CLUSTER_OPTIONS,
  async run(given, [name = '']) {
    const { members } = clusterOf(given);
    const member = members.find((each) => each.name === name);
    if (member === undefined) {
      const names = members.map((each) => each.name).join(', ');
      throw new FailedCommand(`there is no '${name}' in this cluster; it has ${names}.`);
    }
    if (!existsSync(member.logPath)) throw new FailedCommand(`${name} has logged nothing yet.`);
    await pipeline(createReadStream(member.logPath), process.stdout, { end: false });
    return 0;
  },
};
