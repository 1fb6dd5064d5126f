/**
 * `flint report`: packs what a bug report needs into one .tar.gz: metrics over time, crash reports, the end of the log, and
 * what a running server says of itself.
 *
 * Promises: only reads; no file of the data itself and no document goes in. The end of the log is the one part that can
 * show values (of slow operations), so it goes in only when it is named.
 */
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { arch, cpus, freemem, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import { systemClock } from '../../common/clock.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { DIAGNOSTIC_DIRECTORY, type GivenOptions } from '../../server/index.ts';
import { ServerConnection } from '../command-line/server-connection.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';

const compress = promisify(gzip);
const LOG_BYTES = 4 * 1024 * 1024;
const GROUP = 'Report';

export const report: Subcommand = {
  name: 'report',
  summary: 'Packs metrics, crash reports and server information for a bug report.',
  positionals: ['[uri]'],
  description: `Writes one .tar.gz with what is needed to find out what a server did. Give the connection string of a
running server, its data directory with --dbpath, or both. No document is packed.

Examples:
  flint report --dbpath /var/lib/flintdb
  flint report mongodb://localhost:27017 --dbpath /var/lib/flintdb --log /var/log/flintdb/flintd.log`,
  options: [
    {
      flag: 'help',
      short: 'h',
      type: 'switch',
      group: GROUP,
      help: 'Shows this text.',
    },
    {
      flag: 'dbpath',
      type: 'string',
      value: '<directory>',
      group: GROUP,
      help: 'Data directory of the server: its diagnostic.data, crash reports and a list of its files.',
    },
    {
      flag: 'log',
      type: 'string',
      value: '<file>',
      group: GROUP,
      help: 'The log file; its last 4 MiB are packed. Slow operations in it show their commands.',
    },
    {
      flag: 'output',
      short: 'o',
      type: 'string',
      value: '<file>',
      group: GROUP,
      help: 'Where to write. Default flintdb-report-<time>.tar.gz in this directory.',
    },
  ],
  async run(given, [uri]) {
    const parts = await collect(given, uri);
    const time = new Date(systemClock.wallMs()).toISOString();
    const output = text(given, 'output') ?? `flintdb-report-${time.replaceAll(':', '-')}.tar.gz`;
    const archive = await compress(await packTar(parts.map((part) => entryOf(part, time))));
    // Never over a report of before.
    await writeFile(output, archive, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
      throw new FailedCommand(`cannot write ${output}: ${messageOf(error)}`);
    });
    process.stdout.write(`${output}: ${parts.length} files, ${archive.length} bytes\n`);
    return 0;
  },
};

interface Part {
  readonly name: string;
  readonly bytes: Buffer;
}

async function collect(given: GivenOptions, uri: string | undefined): Promise<readonly Part[]> {
  const dbpath = text(given, 'dbpath');
  const log = text(given, 'log');
  if (uri === undefined && dbpath === undefined) {
    throw new FailedCommand('nothing to report on: give a connection string, --dbpath, or both.');
  }
  return [
    jsonPart('system.json', systemDescription()),
    ...(uri === undefined ? [] : await partsOfServer(uri)),
    ...(dbpath === undefined ? [] : await partsOfDirectory(dbpath)),
    ...(log === undefined ? [] : [{ name: 'flintd.log', bytes: await endOfFile(log) }]),
  ];
}

function systemDescription(): object {
  return {
    flintdb: FLINTDB_VERSION,
    node: process.version,
    platform: platform(),
    release: release(),
    arch: arch(),
    processors: cpus().map(({ model }) => model),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
  };
}

const SERVER_COMMANDS = ['buildInfo', 'hostInfo', 'serverStatus', 'getCmdLineOpts'] as const;

async function partsOfServer(uri: string): Promise<readonly Part[]> {
  const server = await ServerConnection.open(uri);
  try {
    const parts: Part[] = [];
    for (const name of SERVER_COMMANDS) {
      parts.push(jsonPart(`server/${name}.json`, await server.command('admin', { [name]: 1 })));
    }
    const parameters = await server.command('admin', { getParameter: '*' });
    return [...parts, jsonPart('server/parameters.json', parameters)];
  } finally {
    server.close();
  }
}

async function partsOfDirectory(dbpath: string): Promise<readonly Part[]> {
  const names = await readdir(dbpath).catch(cannotRead(dbpath));
  const files = await listFiles(dbpath);
  const crashes = names.filter((name) => name.startsWith('crash.') && name.endsWith('.json'));
  const metrics = names.includes(DIAGNOSTIC_DIRECTORY)
    ? (await readdir(join(dbpath, DIAGNOSTIC_DIRECTORY))).map((name) =>
        join(DIAGNOSTIC_DIRECTORY, name),
      )
    : [];
  const packed = [...crashes, ...metrics].map(async (name): Promise<Part | undefined> => {
    const path = join(dbpath, name);
    const bytes = await unlessGone(readFile(path)).catch(cannotRead(path));
    return bytes === undefined ? undefined : { name, bytes };
  });
  const parts = await Promise.all(packed);
  return [jsonPart('files.json', files), ...parts.filter((part) => part !== undefined)];
}

/** Names and sizes, which tell whether a part of the store is missing or has grown. */
async function listFiles(dbpath: string): Promise<object[]> {
  const entries = await readdir(dbpath, { recursive: true, withFileTypes: true }).catch(
    cannotRead(dbpath),
  );
  const files = entries.filter((entry) => entry.isFile());
  const listed = await Promise.all(
    files.map(async (file) => {
      const path = join(file.parentPath, file.name);
      const found = await unlessGone(stat(path)).catch(cannotRead(path));
      if (found === undefined) return undefined;
      const { size, blocks, mtime } = found;
      return { path, size, allocatedBytes: blocks * 512, modified: mtime };
    }),
  );
  return listed.filter((file) => file !== undefined);
}

/** A running server takes files of its own away at any moment. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function cannotRead(path: string): (error: unknown) => never {
  return (error) => {
    throw new FailedCommand(`cannot read ${path}: ${messageOf(error)}`);
  };
}

async function endOfFile(path: string): Promise<Buffer> {
  const file = await open(path).catch(cannotRead(path));
  try {
    const { size } = await file.stat();
    const length = Math.min(size, LOG_BYTES);
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, size - length).catch(cannotRead(path));
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function jsonPart(name: string, content: object): Part {
  const shown = JSON.stringify(
    content,
    (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
    2,
  );
  return { name, bytes: Buffer.from(`${shown}\n`) };
}

function entryOf({ name, bytes }: Part, time: string): TarEntry {
  return {
    header: { name: `flintdb-report/${name}`, size: bytes.length, mtime: new Date(time) },
    body: bytes,
  };
}

function text(given: GivenOptions, name: string): string | undefined {
  const value = given.get(name);
  return typeof value === 'string' ? value : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
