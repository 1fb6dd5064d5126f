/**
 * `flint up`: a cluster on this machine, by one command.
 *
 * Promises: it runs when this says so, and its connection string is what is printed last; at Ctrl-C everything ends in order. With
 * --detach it returns, and the processes stay. A directory that holds a cluster brings the same cluster up again.
 */
import { startCluster, type Cluster } from '../../client/index.ts';
import type { GivenOptions } from '../../server/index.ts';
import { CLUSTER_OPTIONS, directoryOf, orFail } from '../command-line/cluster-options.ts';
import { ClusterTable } from '../command-line/cluster-table.ts';
import type { Subcommand } from '../command-line/subcommand.ts';

const GROUP = 'Cluster';
const REFRESH_MS = 1_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';
const MOST_MEMBERS = 100;

export const up: Subcommand = {
  name: 'up',
  summary: 'Starts a cluster on this machine: config server, shards, routers.',
  positionals: [],
  description: `Starts a config server, shards and routers on free ports, with their data under one directory, and adds the
shards. On a terminal it shows what they do; Ctrl-C ends them all.

Examples:
  flint up --shards 3 --routers 2
  flint up --dir /tmp/cluster --detach
  flint up --testing --setParameter logLevel=1`,
  options: [
    ...CLUSTER_OPTIONS,
    {
      flag: 'shards',
      type: 'integer',
      range: [1, MOST_MEMBERS],
      value: '<number>',
      group: GROUP,
      help: 'How many shards. Default 2, or what the directory has.',
    },
    {
      flag: 'routers',
      type: 'integer',
      range: [1, MOST_MEMBERS],
      value: '<number>',
      group: GROUP,
      help: 'How many routers. Default 1, or what the directory has.',
    },
    {
      flag: 'port',
      type: 'integer',
      range: [1, 65_000],
      value: '<port>',
      group: GROUP,
      help: 'Of the first router; the others follow. Default: free ones.',
    },
    {
      flag: 'detach',
      type: 'switch',
      group: GROUP,
      help: 'Returns when the cluster is ready; flint down ends it.',
    },
    {
      flag: 'setParameter',
      type: 'pairs',
      value: '<name=value>',
      group: GROUP,
      help: 'Sets a server parameter of every process. May be repeated.',
    },
    {
      flag: 'testing',
      type: 'switch',
      group: GROUP,
      help: 'Allows every process commands for tests, such as configureFailPoint.',
    },
  ],
  async run(given) {
    const detached = given.get('detach') === true;
    const interrupted = detached ? undefined : untilInterrupted();
    const cluster = await orFail(
      startCluster({
        dir: directoryOf(given),
        detached,
        args: argumentsOf(given),
        ...sizesOf(given),
      }),
    );
    if (interrupted === undefined) {
      process.stdout.write(`${cluster.uri}\n`);
      return 0;
    }
    try {
      await show(cluster, interrupted);
    } finally {
      await cluster.stop();
    }
    return 0;
  },
};

function sizesOf(given: GivenOptions): { shards?: number; routers?: number; port?: number } {
  const sizes: { shards?: number; routers?: number; port?: number } = {};
  for (const name of ['shards', 'routers', 'port'] as const) {
    const value = given.get(name);
    if (typeof value === 'number') sizes[name] = value;
  }
  return sizes;
}

/** What every process is given; one that flint start starts again gets the same. */
function argumentsOf(given: GivenOptions): string[] {
  const args = given.get('testing') === true ? ['--testing'] : [];
  const parameters = given.get('setParameter');
  if (parameters instanceof Map) {
    for (const [name, value] of parameters) args.push('--setParameter', `${name}=${value}`);
  }
  return args;
}

/** Resolves at the first signal that asks for the end. */
function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve());
  });
}

/** A table drawn anew on a terminal; elsewhere the connection string, once. */
async function show(cluster: Cluster, interrupted: Promise<void>): Promise<void> {
  const how = `${cluster.uri}\n`;
  if (!process.stdout.isTTY) {
    process.stdout.write(how);
    await interrupted;
    return;
  }
  const table = new ClusterTable(cluster);
  let isOver = false;
  void interrupted.then(() => (isOver = true));
  try {
    while (!isOver) {
      const text = await table.text();
      process.stdout.write(
        `${CLEAR_SCREEN}${text}\n\nCtrl-C ends the cluster. Connect with:\n${how}`,
      );
      await Promise.race([interrupted, new Promise((resolve) => setTimeout(resolve, REFRESH_MS))]);
    }
  } finally {
    table.close();
  }
}
