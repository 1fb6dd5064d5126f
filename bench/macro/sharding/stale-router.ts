/**
 * Two routers, and chunks that one of them moves: what the other one answers by its old table must be right all the same.
 */
import { formatNumber } from '../report.ts';
import type { BenchCluster, Goal } from './bench-cluster.ts';

const DOCUMENTS = 1_000;
const CHUNKS = 8;

export async function askStaleRouter(cluster: BenchCluster, moves: number): Promise<Goal[]> {
  const name = 'stale';
  await cluster.shardOver(`bench.${name}`, CHUNKS, DOCUMENTS);
  const documents = Array.from({ length: DOCUMENTS }, (_, k) => ({ k, n: 0 }));
  await cluster.run('router1', 'bench', { insert: name, documents });
  let wrong = 0;
  let asked = 0;
  const check = (isRight: boolean): void => {
    asked += 1;
    if (!isRight) wrong += 1;
  };
  for (let move = 0; move < moves; move += 1) {
    const k = (move * 137) % DOCUMENTS;
    const to = cluster.shardNames[(move * 3 + 1) % cluster.shardNames.length];
    await cluster.run('router1', 'admin', { moveChunk: `bench.${name}`, find: { k }, to });
    const sum = move;
    const count = await cluster.run('router2', 'bench', { count: name });
    check(count['n'] === DOCUMENTS);
    const one = await cluster.all('router2', 'bench', { find: name, filter: { k } });
    check(one.length === 1);
    const all = await cluster.all('router2', 'bench', { find: name, sort: { k: 1 } });
    check(all.length === DOCUMENTS && all.every((document, index) => document['k'] === index));
    check(all.reduce((total, { n }) => total + Number(n), 0) === sum);
    const written = await cluster.run('router2', 'bench', {
      update: name,
      updates: [{ q: { k }, u: { $inc: { n: 1 } } }],
    });
    check(written['n'] === 1 && written['nModified'] === 1);
  }
  return [
    {
      what: `a stale router, ${moves} moves: wrong answers of ${formatNumber(asked)}`,
      value: String(wrong),
      goal: '0',
      isMet: wrong === 0,
    },
  ];
}
