/**
 * Clients that do nothing wrong, one for each server: each finds one document again and again, and notes the longest wait.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { RawClient } from '../server/raw-client.ts';
import type { HealthyReport } from './broken-protocol-run.ts';

const PAUSE_MS = 2;
const WARM_UP = 200;

interface Measured {
  answers: number;
  slowestMs: number;
  failure?: string;
}

let isOver = false;
parentPort?.on('message', () => (isOver = true));

const clients: RawClient[] = [];
for (const port of workerData.ports) clients.push(await prepare(port));
parentPort?.postMessage('ready');
const [attacked, elsewhere] = await Promise.all(clients.map(measure));
if (attacked === undefined || elsewhere === undefined) throw new Error('two servers are needed');
const report: HealthyReport = { ...attacked, slowestElsewhereMs: elsewhere.slowestMs };
parentPort?.postMessage(report);

async function prepare(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.run({ insert: 'items', documents: [{ _id: 1, n: 1 }], $db: 'healthy' });
  for (let count = 0; count < WARM_UP; count += 1) await find(client);
  return client;
}

async function find(client: RawClient): Promise<void> {
  const reply = await client.run({ find: 'items', filter: { _id: 1 }, $db: 'healthy' });
  if (reply['cursor']?.firstBatch.length !== 1) throw new Error('a wrong answer');
}

async function measure(client: RawClient): Promise<Measured> {
  const measured: Measured = { answers: 0, slowestMs: 0 };
  try {
    while (!isOver) {
      const beganMs = performance.now();
      await find(client);
      measured.slowestMs = Math.max(measured.slowestMs, performance.now() - beganMs);
      measured.answers += 1;
      await wait(PAUSE_MS);
    }
  } catch (error) {
    measured.failure = error instanceof Error ? error.message : String(error);
  } finally {
    client.close();
  }
  return measured;
}
