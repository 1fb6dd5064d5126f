/**
 * `npm run memory-limit -- [--megabytes 512] [--seconds 60]`: a flintd that may use little memory, as in a container, under load
 * with several times as much data. Ends with 1 when the kernel killed it, or it ended by itself.
 *
 * Needs a memory control group that this process may make (root; cgroup v1 or v2), or says that there is none.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient, type Collection } from 'mongodb';
import { Program } from '../support/programs.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '512' },
    seconds: { type: 'string', default: '60' },
  },
});

const MEGABYTE = 1024 * 1024;
const WRITERS = 4;
const READERS = 4;
const BATCH = 500;
const FILLER = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(27);

/** One control group: what it allows, what was used, and how often the kernel killed somebody in it. */
interface MemoryGroup {
  readonly processes: string;
  readonly peakBytes: () => number;
  readonly kills: () => number;
  remove(): void;
}

function createGroup(bytes: number): MemoryGroup | undefined {
  const root = '/sys/fs/cgroup';
  const isV2 = existsSync(join(root, 'cgroup.controllers'));
  const path = join(root, isV2 ? '' : 'memory', `flintdb-${process.pid}`);
  const read = (name: string): string => readFileSync(join(path, name), 'utf8');
  try {
    mkdirSync(path);
    writeFileSync(join(path, isV2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
  } catch {
    return undefined;
  }
  return {
    processes: join(path, 'cgroup.procs'),
    peakBytes: () => Number(read(isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes')),
    kills: () =>
      Number(/oom_kill (\d+)/.exec(read(isV2 ? 'memory.events' : 'memory.oom_control'))?.[1] ?? 0),
    remove: () => rmdirSync(path),
  };
}

interface Load {
  documents: number;
  reads: number;
  groups: number;
}

async function write(collection: Collection, endMs: number, load: Load): Promise<void> {
  while (performance.now() < endMs) {
    const first = load.documents;
    load.documents += BATCH;
    const documents = Array.from({ length: BATCH }, (_, index) => ({
      number: first + index,
      group: (first + index) % 1000,
      filler: FILLER,
    }));
    await collection.insertMany(documents);
    await collection.updateMany(
      { number: { $gte: first, $lt: first + 50 } },
      { $inc: { group: 1 } },
    );
  }
}

async function read(collection: Collection, endMs: number, load: Load): Promise<void> {
  while (performance.now() < endMs) {
    const number = Math.floor(Math.random() * Math.max(1, load.documents));
    await collection.find({ number }).toArray();
    load.reads += 1;
    if (load.reads % 200 !== 0) continue;
    await collection
      .aggregate([{ $group: { _id: '$group', count: { $sum: 1 } } }, { $sort: { count: -1 } }])
      .toArray();
    load.groups += 1;
  }
}

async function run(group: MemoryGroup): Promise<boolean> {
  const flintd = await Program.start({ cgroupProcesses: group.processes });
  const client = await MongoClient.connect(flintd.uri);
  const collection = client.db('test').collection('load');
  await collection.createIndex({ number: 1 });
  const load: Load = { documents: 0, reads: 0, groups: 0 };
  const endMs = performance.now() + Number(values.seconds) * 1000;
  const progress = setInterval(() => {
    process.stdout.write(
      `${load.documents} documents, ${load.reads} reads, ${load.groups} groups, peak ${Math.round(group.peakBytes() / MEGABYTE)} MB\n`,
    );
  }, 10_000);
  try {
    await Promise.all([
      ...Array.from({ length: WRITERS }, () => write(collection, endMs, load)),
      ...Array.from({ length: READERS }, () => read(collection, endMs, load)),
    ]);
    const count = await collection.countDocuments({});
    const exit = await flintd.stop();
    process.stdout.write(
      `${load.documents} documents of 1 KiB written, ${count} counted, ${load.reads} reads, ${load.groups} groups; ` +
        `limit ${values.megabytes} MB, peak ${Math.round(group.peakBytes() / MEGABYTE)} MB (page cache of the kernel included), ` +
        `killed ${group.kills()} times, exit code ${exit.code}\n`,
    );
    return exit.code === 0 && group.kills() === 0 && count === load.documents;
  } finally {
    clearInterval(progress);
    await client.close().catch(() => {});
    await flintd.dispose();
  }
}

const group = createGroup(Number(values.megabytes) * MEGABYTE);
if (group === undefined) {
  process.stdout.write('No memory control group can be made here: nothing was tried.\n');
} else {
  try {
    if (!(await run(group))) process.exitCode = 1;
  } finally {
    group.remove();
  }
}
