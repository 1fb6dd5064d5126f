/**
 * Question: what does FlintDB cost inside a test suite: to install, to start, to empty between tests?
 *
 * Estimate: 40 MB on disk and 12 MB packed, of which lmdb, bson and hono are most; a start is Node's own 40 ms, the
 * program's modules 60 ms and opening a store 30 ms; a reset is one transaction over the catalog, a few milliseconds.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlintClient, startServer, type StartServerOptions } from '../../client/index.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../test/support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STARTS = 20;
const MEGABYTE = 1_000_000;
const RESET = { collections: 100, documents: 1000 };

/** Prints; the goals hold on a quiet machine, so nothing fails by them. */
export async function run(): Promise<boolean> {
  console.log(installSize());
  for (const [name, options] of WAYS) console.log(`${name}: ${await startTimes(options)}`);
  console.log(await resetTimes());
  return true;
}

const WAYS: readonly (readonly [string, StartServerOptions])[] = [
  ['child process, temporary directory', {}],
  ['child process, memory', { memory: true }],
  ['this process, memory', { inProcess: true, memory: true }],
];

interface Installed {
  readonly name: string;
  readonly bytes: number;
  readonly packed: number;
  readonly script: string | undefined;
}

/** The package and everything that a production install brings, as npm has resolved it for this platform. */
function installSize(): string {
  const directory = temporaryDirectory();
  try {
    const packages = [...productionPackages(), publishedPackage(directory)];
    const bytes = packages.reduce((sum, each) => sum + each.bytes, 0);
    const packed = packages.reduce((sum, each) => sum + each.packed, 0);
    const largest = packages
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, 6)
      .map(({ name, bytes: size }) => `${name} ${megabytes(size)}`);
    const scripts = packages.filter(({ script }) => script !== undefined).map(({ name }) => name);
    return [
      `installed ${megabytes(bytes)} (goal 60), packed ${megabytes(packed)} (goal 20), ${packages.length} packages`,
      `largest: ${largest.join(', ')}`,
      `with an install script: ${scripts.length === 0 ? 'none' : scripts.join(', ')}`,
    ].join('\n');
  } finally {
    removeTemporaryDirectory(directory);
  }
}

function publishedPackage(directory: string): Installed {
  const printed = execFileSync(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', directory],
    { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [{ size, unpackedSize }]: [{ size: number; unpackedSize: number }] = JSON.parse(printed);
  return { name: 'flintdb', bytes: unpackedSize, packed: size, script: undefined };
}

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly scripts?: Record<string, string>;
}

/** Walks from the package's dependencies; optional ones count when they are there, as they would be installed. */
function productionPackages(): Installed[] {
  const found = new Map<string, Installed>();
  const visit = (folder: string, isRoot: boolean): void => {
    const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (!isRoot && found.has(folder)) return;
    if (!isRoot) found.set(folder, measured(folder, manifest));
    const names = { ...manifest.dependencies, ...manifest.optionalDependencies };
    for (const name of Object.keys(names)) {
      const path = resolvePackage(folder, name);
      if (path !== undefined) visit(path, false);
    }
  };
  visit(ROOT, true);
  return [...found.values()];
}

function resolvePackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

function measured(folder: string, { scripts = {} }: Manifest): Installed {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const script = scripts['preinstall'] ?? scripts['install'] ?? scripts['postinstall'];
  // What npm would download: the same files, in a compressed archive.
  const packed = execFileSync(
    'sh',
    ['-c', 'tar -C "$1" --exclude node_modules -czf - . | wc -c', 'sh', folder],
    { encoding: 'utf8' },
  );
  return { name, bytes: sizeOf(folder), packed: Number(packed), script };
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}

async function startTimes(options: StartServerOptions): Promise<string> {
  const times: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    const startedMs = performance.now();
    const server = await startServer(options);
    const client = new FlintClient(server.uri);
    await client.db('admin').command({ ping: 1 });
    times.push(performance.now() - startedMs);
    await client.close();
    await server.stop();
  }
  const goal = options.inProcess === true ? '' : ' (goal 250)';
  return `startServer() to the first answered ping, median of ${STARTS}: ${milliseconds(median(times))}${goal}, fastest ${milliseconds(Math.min(...times))}`;
}

async function resetTimes(): Promise<string> {
  const server = await startServer();
  const client = await FlintClient.connect(server.uri);
  const times: number[] = [];
  const documents = Array.from({ length: RESET.documents }, (_, n) => ({ n, text: `text ${n}` }));
  for (let round = 0; round < 10; round += 1) {
    for (let number = 0; number < RESET.collections; number += 1) {
      const collection = client.db(`app${number % 5}`).collection(`c${number}`);
      await collection.createIndex({ n: 1 });
      await collection.createIndex({ text: 1, n: -1 });
      await collection.insertMany(documents.map((document) => ({ ...document })));
      await collection.find().batchSize(2).next();
    }
    const startedMs = performance.now();
    await server.reset();
    times.push(performance.now() - startedMs);
  }
  await client.close();
  await server.stop();
  return `reset of ${RESET.collections} collections of ${RESET.documents} documents, two indexes and an open cursor each, median of ${times.length}: ${milliseconds(median(times))} (goal 10), fastest ${milliseconds(Math.min(...times))}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MB`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}
