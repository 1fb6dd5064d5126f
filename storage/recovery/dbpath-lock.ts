/**
 * One flintd per dbpath: a socket listened on inside the directory.
 *
 * The system ends the socket with its process, so kill -9 leaves no lock behind, only a dead file. Whoever connects is told
 * the pid. Two processes in one directory would open one LMDB without an error, and destroy it.
 * Invariant: between finding the name free (or its socket dead) and owning it stands one atomic step of the file system.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { CommandError } from '../../common/errors.ts';

const SOCKET_NAME = 'flintd.sock';
const PID_NAME = 'flintd.pid';

export interface DbpathLock {
  release(): Promise<void>;
}

/** @throws CommandError DBPathInUse with the other process's pid */
export async function lockDbpath(dbpath: string): Promise<DbpathLock> {
  // A socket's path has at most 107 bytes: the directory is named through a descriptor, whatever its own length.
  const directory = await open(dbpath, 'r');
  const within = (name: string): string => `/proc/self/fd/${directory.fd}/${name}`;
  const ownName = `flintd-${randomBytes(8).toString('hex')}.sock`;
  const server = await listen(within(ownName));
  try {
    await claim(dbpath, within, ownName);
    await rm(within(ownName));
    await writeFile(join(dbpath, PID_NAME), `${process.pid}\n`);
  } catch (error) {
    await closeServer(server);
    await rm(within(ownName), { force: true });
    await directory.close();
    throw error;
  }
  return {
    async release() {
      await rm(within(PID_NAME), { force: true });
      await rm(within(SOCKET_NAME), { force: true });
      await closeServer(server);
      await directory.close();
    },
  };
}

async function claim(
  dbpath: string,
  within: (name: string) => string,
  ownName: string,
): Promise<void> {
  for (;;) {
    if (await tryLink(within(ownName), within(SOCKET_NAME))) return;
    await refuseIfAlive(dbpath, within, SOCKET_NAME);
    await removeDead(dbpath, within, ownName);
  }
}

/** Takes a dead socket away; if another process has replaced it meanwhile, gives that one back its name. */
async function removeDead(
  dbpath: string,
  within: (name: string) => string,
  ownName: string,
): Promise<void> {
  const aside = `${ownName}.dead`;
  try {
    await rename(within(SOCKET_NAME), within(aside));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    await refuseIfAlive(dbpath, within, aside);
  } catch (error) {
    await tryLink(within(aside), within(SOCKET_NAME));
    throw error;
  } finally {
    await rm(within(aside), { force: true });
  }
}

async function refuseIfAlive(
  dbpath: string,
  within: (name: string) => string,
  name: string,
): Promise<void> {
  if (!(await answers(within(name)))) return;
  const pid = await readFile(join(dbpath, PID_NAME), 'utf8').catch(() => '');
  throw new CommandError(
    'DBPathInUse',
    `Another flintd (pid ${pid.trim() || 'unknown'}) is already running on the data directory ${dbpath}`,
  );
}

/** Only a refused or missing socket is dead: a busy process, or one of another user, may answer with any other error. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error)));
    });
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end());
    server.once('error', reject);
    server.listen(path, () => {
      // The lock must not keep a process alive that has nothing else to do.
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
