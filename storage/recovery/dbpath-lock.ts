/**
 * One flintd per dbpath: a socket listened on inside the directory.
 *
 * The system ends the socket with its process, so kill -9 leaves no lock behind, only a dead file. Whoever connects is told
 * that somebody is there. Two processes in one directory would open one LMDB without an error, and destroy it.
 *
 * A dead socket is never moved or removed by who only believes it dead: between looking and moving, another process may have
 * put its live one there. It is succeeded instead. Each socket has at most one successor, named after it, and never two
 * sockets have the same identity: to link the successor's name is the one atomic step that decides. The owner then moves its
 * socket over the dead one's name, and the chain is one socket long again:
 *
 *   flintd.sock (dead)  ─▶  flintd.sock.after-<identity of the dead one> (alive: the owner)  ─▶  renamed to flintd.sock
 *
 * Invariants:
 *  1. Who holds the lock is the last of the chain that begins at flintd.sock, and answers.
 *  2. Only the owner replaces or removes flintd.sock, and only while it still listens.
 * Tests: test/storage/recovery/dbpath-lock.test.ts.
 */
import { randomBytes } from 'node:crypto';
import { link, lstat, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { CommandError } from '../../common/errors.ts';

const SOCKET_NAME = 'flintd.sock';
const PID_NAME = 'flintd.pid';

export interface DbpathLock {
  release(): Promise<void>;
}

/** A directory's sockets, by name: a socket's path has at most 107 bytes, whatever the directory's length. */
interface Directory {
  readonly dbpath: string;
  within(name: string): string;
}

/** A socket of the chain. */
interface Link {
  readonly name: string;
  readonly identity: string;
}

/** @throws CommandError DBPathInUse with the other process's pid */
export async function lockDbpath(dbpath: string): Promise<DbpathLock> {
  const handle = await open(dbpath, 'r');
  const directory: Directory = {
    dbpath,
    within: (name) => `/proc/self/fd/${handle.fd}/${name}`,
  };
  const ownName = `flintd-${randomBytes(8).toString('hex')}.sock`;
  const server = await listen(directory.within(ownName));
  try {
    await claim(directory, ownName);
    await remove(directory, ownName);
    await writeFile(join(dbpath, PID_NAME), `${process.pid}\n`);
  } catch (error) {
    await closeServer(server);
    await remove(directory, ownName);
    await handle.close();
    throw error;
  }
  return {
    async release() {
      await remove(directory, PID_NAME);
      // While the server still answers: nobody can have succeeded a socket that is alive.
      await remove(directory, SOCKET_NAME);
      await closeServer(server);
      await handle.close();
    },
  };
}

/** Looks whether a process has the directory, and leaves no trace. @throws CommandError DBPathInUse */
export async function refuseIfInUse(dbpath: string): Promise<void> {
  const handle = await open(dbpath, 'r');
  try {
    const directory: Directory = {
      dbpath,
      within: (name) => `/proc/self/fd/${handle.fd}/${name}`,
    };
    const last = (await readChain(directory)).at(-1);
    if (last !== undefined) await refuseIfAlive(directory, last.name);
  } finally {
    await handle.close();
  }
}

async function claim(directory: Directory, ownName: string): Promise<void> {
  const own = await identityOf(directory, ownName);
  for (;;) {
    if (await tryLink(directory, ownName, SOCKET_NAME)) return;
    const chain = await readChain(directory);
    const last = chain.at(-1);
    // Released between the two looks.
    if (last === undefined) continue;
    await refuseIfAlive(directory, last.name);
    // Only if it is still there was it this one that did not answer: an owner moves to the chain's beginning.
    if ((await identityOf(directory, last.name)) !== last.identity) continue;
    const name = successorOf(last.identity);
    if (!(await tryLink(directory, ownName, name))) continue;
    // The dead one may have left the chain before its successor's name was linked.
    const linked = await readChain(directory);
    if (linked.at(-1)?.identity === own) return becomeFirst(directory, linked);
    await remove(directory, name);
  }
}

/** The sockets from flintd.sock on. Nothing holds it still: what follows from it must be checked by a link. */
async function readChain(directory: Directory): Promise<Link[]> {
  const chain: Link[] = [];
  for (let name = SOCKET_NAME; ;) {
    const identity = await identityOf(directory, name);
    if (identity === undefined) return chain;
    chain.push({ name, identity });
    name = successorOf(identity);
  }
}

/** For the owner, who is last: takes the first one's name, and the dead ones in between away. */
async function becomeFirst(directory: Directory, chain: readonly Link[]): Promise<void> {
  const [, ...successors] = chain;
  const own = successors.pop();
  if (own === undefined) return;
  await rename(directory.within(own.name), directory.within(SOCKET_NAME));
  for (const { name } of successors) await remove(directory, name);
}

function successorOf(identity: string): string {
  return `${SOCKET_NAME}.after-${identity}`;
}

/**
 * Inode and time of making: a number is used again, but not within the few milliseconds that such a time may stand for.
 * undefined when nothing is there.
 */
async function identityOf(directory: Directory, name: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs } = await lstat(directory.within(name), { bigint: true });
    return `${ino.toString(36)}-${mtimeNs.toString(36)}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function refuseIfAlive(directory: Directory, name: string): Promise<void> {
  if (!(await answers(directory.within(name)))) return;
  const { dbpath } = directory;
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

async function tryLink(directory: Directory, from: string, to: string): Promise<boolean> {
  try {
    await link(directory.within(from), directory.within(to));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function remove(directory: Directory, name: string): Promise<void> {
  return rm(directory.within(name), { force: true });
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
