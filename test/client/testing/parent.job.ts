/** A program that starts a server or a cluster, says where it is, and waits to be killed. */
import { startCluster, startServer } from '../../../client/index.ts';

const kind = process.argv[2];
if (kind === 'cluster') {
  const { dir, members } = await startCluster({ shards: 1 });
  say({ dbPath: dir, pids: members.map(({ pid }) => pid) });
} else {
  const { dbPath, pid } = await startServer({ inProcess: kind === 'inProcess' });
  say({ dbPath, pid });
}
setInterval(() => {}, 60_000);

function say(where: object): void {
  process.stdout.write(`${JSON.stringify(where)}\n`);
}
